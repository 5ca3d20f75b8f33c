from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.browser import opened, serious_findings
from tests.figures.page.conftest import toy_model, write_run

from tuppence.figures.page import small
from tuppence.figures.page.small import live_if_small
from tuppence.figures.report.page import write_report
from tuppence.tokenizer import Tokenizer


def test_the_model_of_a_run_is_live_in_its_report(browser: Any, toy_run: Path, tmp_path: Path) -> None:
    path = write_report(toy_run, tmp_path / "report.html")
    with opened(browser, path) as page:
        assert page.locator(".live-ready").count() == 0  # not before it is opened
        page.get_by_text("Write with this model").click()
        page.locator(".live-next button").nth(2).click()
        assert page.locator(".live-strip [role=option].live-written").count() == 1
        assert serious_findings(page) == []


def test_a_report_without_its_model_has_no_script(toy_run: Path, tmp_path: Path) -> None:
    page = write_report(toy_run, tmp_path / "report.html", live=False).read_text()
    assert "<script" not in page
    assert "live" not in page


def test_a_larger_model_is_left_out(toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems: list[str] = []
    assert live_if_small([toy_run], problems) is not None
    monkeypatch.setattr(small, "LARGEST_PARAMETERS", 60_000)
    assert live_if_small([toy_run], problems) is not None
    assert live_if_small([toy_run, toy_run], problems) is None
    assert problems == []


def test_a_damaged_model_is_named_and_the_report_is_written(tokenizer: Tokenizer, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", toy_model(), tokenizer)
    (run / "model" / "tokenizer.json").write_text("{")
    page = write_report(run).read_text()
    assert "the model is not live in this page" in page
    assert "<script" not in page


def test_a_report_of_a_run_without_a_model_does_not_import_torch(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("status: running\n")
    code = f"import sys\nfrom tuppence.cli import main\ntry:\n main(['report', {str(tmp_path)!r}])\n"
    code += "except SystemExit: print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "False", ran.stderr
