"""What a chapter starts with, and the base model of the course."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tuppence as tp
from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.course import measurements


@pytest.fixture(autouse=True)
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUPPENCE_COURSE", str(tmp_path / "course"))
    monkeypatch.setenv("TUPPENCE_SCALE", "test")
    return tmp_path / "course"


def test_a_chapter_has_seed_scale_and_folder(course: Path) -> None:
    first = tp.chapter(3)
    draw = torch.rand(1)
    second = tp.chapter(3)
    assert torch.equal(torch.rand(1), draw)
    assert (first.scale, first.folder) == ("test", course / "test" / "chapter-3")
    assert second.pick(test=1, laptop=2, gpu=3) == 1
    assert "Attention" in repr(first)


@pytest.mark.parametrize(("scale", "steps"), [("test", 1), ("laptop", 2), ("gpu", 3)])
def test_the_scale_picks_a_value(scale: str, steps: int) -> None:
    chapter = tp.chapter(1, scale)  # type: ignore[arg-type]
    assert chapter.pick(test=1, laptop=2, gpu=3) == steps
    assert chapter.pick(test=1, laptop=2) == min(steps, 2)


def test_messages_go_to_the_cell_as_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    tp.chapter(1)
    console.warn("the validation split is small")
    assert capsys.readouterr() == ("warning: the validation split is small\n", "")


def test_unknown_chapters_and_scales_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no chapter 9"):
        tp.chapter(9)
    monkeypatch.setenv("TUPPENCE_SCALE", "huge")
    with pytest.raises(InputError, match="no scale 'huge'"):
        tp.chapter(1)


def test_the_base_is_made_once(course: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = tp.course.base()
    assert first.path.parent.parent == course / "test"
    assert capfd.readouterr() == ("", "")
    assert tp.course.base().receipt == first.receipt
    assert first.last("val_loss") < 6.0  # ln 512 = 6.24
    assert tp.chapter(5).receipt(first, first).tokens == 2 * first.receipt.tokens


def test_the_report_of_the_machine_is_that_of_doctor() -> None:
    report = tp.doctor()
    assert "torch" in report.column("check")
    assert report.status in ("ok", "warn", "fail")


def test_measurements_are_kept_by_chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurements, "FOLDER", tmp_path / "measurements")
    assert measurements.measured() == {}
    measurements.record(2, measurements.Measured(75.0, 2, "2026-11-28"))
    measurements.record(1, measurements.Measured(15.0, 2, "2026-11-28"))
    assert list(measurements.measured()) == [1, 2]
    assert str(measurements.measured()[2]) == "1.2 minutes on 2 cores, $0.00 (measured 2026-11-28)"
