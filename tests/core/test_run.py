"""A run folder: its logs are truncated to a checkpoint, its run file is read, and it is locked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.permissions import permissions_count

from tuppence.core.errors import InputError
from tuppence.core.json_lines import append_json, read_json_lines
from tuppence.core.run import Run


def test_logs_rewind_to_where_they_were_marked(tmp_path: Path) -> None:
    run = Run(tmp_path)
    append_json(run.metrics_file, {"step": 1})
    marks = run.mark()
    append_json(run.metrics_file, {"step": 2})
    append_json(run.samples_file, {"step": 2})
    run.rewind(marks, 1)
    assert list(read_json_lines(run.metrics_file)) == [{"step": 1}]
    assert list(read_json_lines(run.samples_file)) == []


def test_a_log_shorter_than_its_mark_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path)
    append_json(run.metrics_file, {"step": 1})
    run.rewind({"metrics.jsonl": 10_000}, 1)
    assert run.metrics_file.stat().st_size == len(json.dumps({"step": 1})) + 1


def test_evaluation_of_the_marked_step_survives_a_rewind(tmp_path: Path) -> None:
    run = Run(tmp_path)
    append_json(run.metrics_file, {"step": 4, "loss": 2.0})
    marks = run.mark()
    append_json(run.metrics_file, {"step": 4, "val_loss": 1.5})
    append_json(run.samples_file, {"step": 4, "text": "a"})
    append_json(run.metrics_file, {"step": 5, "loss": 1.9})
    append_json(
        run.metrics_file, {"step": 4, "val_loss": 9.0}
    )  # after another step: of later steps that were discarded
    assert run.evaluation_after(marks, 4) == {"step": 4, "val_loss": 1.5}
    assert run.evaluation_after(marks, 3) is None
    run.rewind(marks, 4)
    assert [row["step"] for row in read_json_lines(run.metrics_file)] == [4, 4]
    assert list(read_json_lines(run.samples_file)) == [{"step": 4, "text": "a"}]


def test_an_update_keeps_the_other_keys_of_the_run_file(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.create()
    assert not run.exists()
    run.update(status="running", seed=3)
    run.update(status="done")
    assert run.read() == {"status": "done", "seed": 3}


def test_a_folder_with_other_files_is_not_used_as_a_run(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="not empty"):
        Run(tmp_path).create()


@pytest.mark.skipif(sys.platform == "win32", reason="locks are POSIX's")
def test_a_second_process_is_refused_until_the_first_releases_the_lock_or_is_killed(tmp_path: Path) -> None:
    hold = f"from pathlib import Path; from tuppence.core.run import Run; Run(Path({str(tmp_path)!r})).claim()"
    other = subprocess.Popen([sys.executable, "-c", f"{hold}; print(1, flush=True); input()"], stdin=-1, stdout=-1)
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(InputError, match="another process is training"):
        Run(tmp_path).claim()
    other.kill()
    other.communicate()
    release = Run(tmp_path).claim()
    with pytest.raises(InputError, match="another process"):
        Run(tmp_path).claim()
    release()
    Run(tmp_path).claim()()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_run_file_is_an_error(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.update(verb="pretrain")
    run.run_file.write_text("")
    with pytest.raises(InputError, match="its content is lost"):
        run.read()


@pytest.mark.skipif(sys.platform == "win32", reason="numbers of processes cannot be asked there")
def test_claiming_a_run_removes_incomplete_files_of_a_killed_process(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.update(verb="pretrain")
    (tmp_path / ".model.1.old").mkdir()  # number 1 is alive in any case, and does not hold the lock
    (tmp_path / ".model.1.old" / "config.json").touch()
    for name in (".model.1.tmp", ".adapter.1.tmp"):
        (tmp_path / name).mkdir()
    run.claim()()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "run.yaml"]
    assert (run.model / "config.json").exists()


def test_a_run_killed_before_it_wrote_run_yaml_can_be_started_again(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".run.yaml.1.tmp").touch()
    Run(tmp_path).create()
    Run(tmp_path).claim()()
    assert list(tmp_path.iterdir()) == []


def test_an_input_in_an_unreadable_folder_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "closed" / "base").mkdir(parents=True)
    run = Run(tmp_path / "run")
    assert run.find(str(tmp_path / "closed" / "base")) is not None
    (tmp_path / "closed").chmod(0)
    try:
        with permissions_count():
            assert run.find(str(tmp_path / "closed" / "base")) is None
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_run_is_found_by_its_folder_and_by_its_model_folder(tmp_path: Path) -> None:
    run = Run(tmp_path / "model")  # a run can have this name too
    run.update(verb="pretrain")
    run.model.mkdir()
    assert Run.of(run.path) == run
    assert Run.of(run.model) == run
    assert Run.of(str(tmp_path / "elsewhere" / "model")) == Run(tmp_path / "elsewhere" / "model")


def test_the_lineage_of_a_run_goes_back_to_the_first_and_ends_at_a_damaged_one(tmp_path: Path) -> None:
    first, second, third = (Run(tmp_path / name) for name in ("first", "second", "third"))
    first.update(verb="pretrain")
    first.model.mkdir()
    second.update(verb="finetune instruct", base={"path": str(first.model)})
    third.update(verb="align dpo", base={"path": str(second.path)})
    assert [run.path.name for run, _ in third.lineage()] == ["third", "second", "first"]
    second.run_file.write_text("")
    assert [run.path.name for run, _ in third.lineage()] == ["third"]
    assert list(Run(tmp_path).lineage()) == []


def test_a_run_that_names_itself_as_its_base_has_a_finite_lineage(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.update(base={"path": str(tmp_path)})
    assert [each.path for each, _ in run.lineage()] == [tmp_path]


@pytest.mark.parametrize(("content", "problem"), [("a: [", "could not be read"), ("- 1", "holds no settings")])
def test_a_damaged_run_file_is_an_error_or_a_recorded_problem(content: str, problem: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    problems: list[str] = []
    assert run.read_tolerantly(problems) == {}
    run.run_file.write_text(content)
    with pytest.raises(InputError):
        run.read()
    assert not problems
    assert run.read_tolerantly(problems) == {}
    assert problems == [f"run.yaml {problem}"]
