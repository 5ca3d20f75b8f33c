from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence import cli
from tuppence.core import checkup

Tuppence = Callable[..., "subprocess.CompletedProcess[str]"]


def test_doctor_prints_text_or_json(tuppence: Tuppence) -> None:
    shown = tuppence("doctor")
    assert shown.returncode == 0
    assert all(line.startswith(("ok ", "warn", "fail", "     ")) for line in shown.stdout.splitlines())
    answer = json.loads(tuppence("doctor", "--json").stdout)
    assert answer["status"] in ("ok", "warn")
    for check in answer["checks"]:
        assert set(check) == {"name", "status", "value", "hint"}
        assert check["value"] in shown.stdout or check["name"] == "disk"


def test_doctor_never_shows_a_credential(tuppence: Tuppence) -> None:
    made_up = {"AWS_ACCESS_KEY_ID": "MADEUPNAME12345", "AWS_SECRET_ACCESS_KEY": "made+up/word"}
    answer = tuppence("doctor", "--json", env=os.environ | made_up)
    assert "credentials present" in answer.stdout
    assert not any(value in answer.stdout + answer.stderr for value in made_up.values())


def test_doctor_exits_2_when_something_must_be_fixed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def examine(folder: Path) -> list[checkup.Check]:
        return [checkup.Check("torch", "fail", "not installed", "install it")]

    monkeypatch.setattr(checkup, "examine", examine)
    with pytest.raises(SystemExit) as finished:
        cli.main(["doctor"])
    assert finished.value.code == 2
    assert "→ install it" in capsys.readouterr().out
