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
