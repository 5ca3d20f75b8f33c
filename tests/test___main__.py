"""`python -m tuppence` is `tuppence`: torchrun starts it that way."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuppence.cli import main


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["no-such-verb"], 2)])
def test_the_module_answers_as_the_command_does(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    module = subprocess.run([sys.executable, "-m", "tuppence", *words], capture_output=True, text=True)
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert (module.returncode, ended.value.code) == (code, code)
    assert (module.stdout, module.stderr) == tuple(capsys.readouterr())


def test_ctrl_c_during_the_first_imports_exits_without_a_traceback() -> None:
    interrupted = (
        "import runpy, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "runpy.run_module('tuppence', run_name='__main__')\n"
    )
    answer = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout, answer.stderr) == (130, "", "")
