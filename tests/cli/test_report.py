from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence import cli

Tuppence = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run.yaml").write_text("status: running\n")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9.0}\n')
    return tmp_path


def test_report_prints_the_path_of_the_page(run: Path, tuppence: Tuppence) -> None:
    answer = tuppence("report", run)
    assert (answer.returncode, answer.stdout) == (0, f"{run / 'report.html'}\n")
    assert (run / "report.html").read_text().startswith("<!doctype html>")


def test_report_answers_a_program_in_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as finished:
        cli.main(["report", str(run), "--json"])
    assert finished.value.code == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(run / "report.html")}


def test_report_opens_the_page_only_when_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    for arguments in ([], ["--open"]):
        with pytest.raises(SystemExit):
            cli.main(["report", str(run), *arguments])
    assert opened == [(run / "report.html").as_uri()]


def test_report_of_no_run_is_wrong_input(tmp_path: Path, tuppence: Tuppence) -> None:
    answer = tuppence("report", tmp_path)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "is not a run" in answer.stderr


def test_report_without_matplotlib_says_what_to_install(run: Path) -> None:
    code = (
        f"import sys\nsys.modules['matplotlib'] = None\nfrom tuppence.cli import main\nmain(['report', {str(run)!r}])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 2
    assert "pip install 'tuppence[plot]'" in answer.stderr
    assert importlib.util.find_spec("matplotlib"), "it is installed, and was hidden above"
