"""The running command line knows when it began and where its verb writes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tuppence.cli import command_line
from tuppence.cli.command import Command
from tuppence.core.errors import TuppenceError
from tuppence.core.process import process_began


def test_the_program_began_with_its_process_and_any_other_command_now() -> None:
    assert Command.now(is_the_program=True).began == pytest.approx(process_began(), abs=0.1)
    assert Command.now(is_the_program=False).began == pytest.approx(time.monotonic(), abs=5.0)


@pytest.mark.parametrize(
    ("words", "outputs"),
    [
        (["data", "synth", "nothing", "--out", "made.tsv"], [Path("made.tsv")]),
        (["data", "synth", "nothing", "--out=file:///tmp/made.tsv"], [Path("/tmp/made.tsv")]),
        (["quickstart", "--skip", "nothing"], [Path("runs/quickstart")]),
        (["report", "nothing"], []),
    ],
)
def test_the_outputs_are_those_that_were_parsed_and_not_words_that_look_like_them(
    words: list[str], outputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = Command.now(is_the_program=False)
    with pytest.raises(TuppenceError):
        command_line().main(words, standalone_mode=False, prog_name="tuppence", obj=command)
    assert command.outputs == outputs
