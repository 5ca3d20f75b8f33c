from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.figures.conftest import assert_self_contained

from tuppence.core.errors import InputError
from tuppence.figures.report.page import SHOWN_SAMPLES, render_report, write_report
from tuppence.figures.run_data import read_run


def words(outline: Any, page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(outline(page).words))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, make_run: Any) -> str:
    run = make_run(tmp_path_factory.mktemp("runs") / "tiny")
    path = write_report(run)
    assert path == run / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_self_contained(whole: str, outline: Any) -> None:
    outline(whole)
    assert_self_contained(whole)


@pytest.mark.parametrize(
    "expected",
    [
        "reached --max-steps 400",
        "best validation loss, step 400",
        "1.732 bits per byte",
        "the model has the weights of step 400: the last and the best",
        "2,604 tokens per second, MFU 61%",
        "pretrain · 13.89M parameters · reached",
        "max_steps 400",
        "ranks 1",
        "819,200 tokens trained",
        "$0.0748",
        "$0.736 an hour: --rate 0.736",
        "budget $0.10",
        "checkpoints 6.3 s",
        "Some Xeon",
        "learning rate 0.001".replace(" rate", "_rate"),
        "compile yes",
        "git commit 0123456789abcdef",
        "tokenizer fingerprint cdcd",
        "data path runs/novels",
        "versions torch 2.13.0",
        "bits per byte 1.732",
        "It was a dark and stormy night, and the rain",
        "During training",
        "2026-01-05 10:00 UTC → 2026-01-05 10:06 UTC",
        "killed",
    ],
)
def test_the_page_contains_every_expected_text(expected: str, whole: str, outline: Any) -> None:
    assert expected.replace(" ", "") in words(outline, whole).replace(" ", "")


def test_samples_are_shown_as_text(whole: str, outline: Any, nasty: str) -> None:
    outline = outline(whole)
    assert not {"script", "img"} & outline.tags
    assert sum(nasty in word for word in outline.words) >= 2


def test_every_figure_of_a_run_is_on_the_page(whole: str) -> None:
    labels = re.findall(r'aria-label="([^"]+)"', whole)
    assert {label.split(" by ")[0] for label in labels} >= {
        "Training and validation loss",
        "Learning rate",
        "Gradient norm",
        "Trained tokens per second",
        "Dollars spent",
        "Where the time went",
    }


def test_a_run_that_is_still_training_is_reported(tmp_path: Path, lines: Any, outline: Any) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"status": "running", "verb": "pretrain"}))
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9.01}\n{"step": 2, "loss": 8.5}\n{"step": 3, "l')
    lines(tmp_path / "ledger.jsonl", [{"attempt": 1, "event": "start", "seconds": 0.1, "dollars": 0}])
    shown = words(outline, render_report(read_run(tmp_path)))
    assert "running" in shown
    assert "8.500 training loss" in shown
    assert "$0.00 running" in shown


@pytest.mark.parametrize("name", ["run.yaml", "metrics.jsonl"])
def test_one_empty_file_is_enough_for_a_page(name: str, tmp_path: Path, outline: Any) -> None:
    (tmp_path / name).write_text("")
    assert tmp_path.name in words(outline, render_report(read_run(tmp_path)))


def test_values_of_the_wrong_type_are_left_out_or_shown_as_text(tmp_path: Path, lines: Any, outline: Any) -> None:
    odd = {
        "status": ["x"],
        "config": "none",
        "result": [1],
        "environment": 3,
        "versions": None,
        "data": "x",
        "seed": {},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(odd))
    row = {"step": 1, "loss": "low", "val_loss": [], "tokens": {}, "tokens_per_second": None, "learning_rate": True}
    lines(tmp_path / "metrics.jsonl", [row, {"step": "two"}, {}])
    lines(tmp_path / "samples.jsonl", [{"text": 5}, {"prompt": None, "text": "x", "step": "y"}, {}])
    lines(tmp_path / "ledger.jsonl", [{"attempt": 1, "seconds": "long"}, {"dollars": "much"}])
    (tmp_path / "evaluation.json").write_text(json.dumps({"perplexity": 3, "other": {"a": [1, {"b": None}]}}))
    shown = words(outline, render_report(read_run(tmp_path)))
    assert "a 1, b: None" in shown
    assert "at step unknown" in shown


def test_samples_with_control_and_half_characters_are_shown(tmp_path: Path, lines: Any, outline: Any) -> None:
    (tmp_path / "run.yaml").write_text("{}")
    lines(tmp_path / "samples.jsonl", [{"step": 1, "prompt": "bell \x07", "text": "nul \x00 half \ud83d"}])
    write_report(tmp_path)
    shown = words(outline, (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "bell ␇" in shown
    assert "nul ␀ half �" in shown


def test_damaged_files_are_named_at_the_foot_of_the_page(tmp_path: Path, outline: Any, lines: Any) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 9.0}\nrubbish\n{"step": 2, "loss": 8.0}\n')
    assert "metrics.jsonl: 1 damaged lines were left out" in words(outline, render_report(read_run(tmp_path)))


def test_of_many_samples_some_are_shown_with_the_first_and_the_last(tmp_path: Path, lines: Any) -> None:
    (tmp_path / "run.yaml").write_text("{}")
    lines(tmp_path / "samples.jsonl", [{"step": step, "prompt": "P", "text": f"text{step}."} for step in range(500)])
    page = render_report(read_run(tmp_path))
    shown = [int(step) for step in re.findall(r"text(\d+)\.", page)]
    assert len(shown) == SHOWN_SAMPLES + 1
    assert {0, 498, 499} <= set(shown)


def test_a_hundred_thousand_steps_make_a_page_of_moderate_size(tmp_path: Path, lines: Any) -> None:
    rows = [{"step": step, "loss": 5.0 + step % 7, "grad_norm": 1.0 + step % 3} for step in range(100_000)]
    lines(tmp_path / "metrics.jsonl", rows)
    assert len(render_report(read_run(tmp_path))) < 400_000


def test_a_page_behind_a_link_is_written_and_the_link_stays(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.yaml").write_text("{}")
    (tmp_path / "link.html").symlink_to("page.html")
    assert write_report(run, tmp_path / "link.html") == tmp_path / "link.html"
    assert (tmp_path / "link.html").is_symlink()
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_refused_before_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.yaml").write_text("{}")
    monkeypatch.setattr("tuppence.figures.report.page.render_report", lambda _: pytest.fail("drawn for nothing"))
    for out in (tmp_path, tmp_path / "run.yaml" / "page.html"):
        with pytest.raises(InputError, match="cannot write"):
            write_report(tmp_path, out)


def test_a_folder_that_is_not_a_run_is_refused_and_unchanged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
