"""Disks without fsync, chmod or locks, missing permissions, odd names, users without a home."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.command_lines import settings
from tests.integration.conftest import Run
from tests.permissions import permissions_count
from tests.ranks import on_ranks

from tuppence.cli import main
from tuppence.core.locks import lock_folder

Called = tuple[int, str, str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Runs a command line in this process: (exit code, stdout, stderr)."""

    def run(*words: object) -> Called:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        return left.value.code, *capsys.readouterr()  # type: ignore[return-value]

    return run


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small file for every kind of data."""
    place = tmp_path_factory.mktemp("rows")
    (place / "text.txt").write_text("the lamp\n")
    labels = [f"ham,see you at {n}\nspam,call now {n}\n" for n in range(20)]
    (place / "labels.csv").write_text("label,text\n" + "".join(labels))
    chats = [{"instruction": f"Add 1 to {n}.", "output": str(n + 1)} for n in range(20)]
    (place / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    pairs = [{"prompt": f"Say {n}.", "chosen": f"{n}", "rejected": "No."} for n in range(20)]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    return place


def outputs(corpus: Path, base: Path, rows: Path, out: Path) -> list[list[object]]:
    """Every verb that writes, with `out` for its output."""
    return [
        ["data", "synth", "sms", "--count", 5, "--out", out / "sms.tsv"],
        ["data", "get", "tiny-shakespeare", "--out", out],
        ["data", "prepare", rows / "text.txt", "--tokenizer", corpus / "tok", "--out", out],
        ["tokenizer", "train", rows / "text.txt", "--vocab-size", 257, "--out", out],
        ["tokenizer", "import", corpus / "tok", "--out", out],
        ["pretrain", "--data", corpus / "data", "--max-steps", 1, "--out", out, *settings()],
        ["finetune", "classify", "--base", base, "--data", rows / "labels.csv", "--out", out],
        ["finetune", "instruct", "--base", base, "--data", rows / "chats.jsonl", "--out", out],
        ["align", "reward", "--base", base, "--data", rows / "pairs.jsonl", "--out", out],
        ["align", "dpo", "--base", base, "--data", rows / "pairs.jsonl", "--out", out],
        ["quickstart", "--out", out],
    ]


def inputs(corpus: Path, base: Path, rows: Path, given: Path, out: Path) -> list[list[object]]:
    """Every place where a verb reads, with `given` for what it reads."""
    return [
        ["tokenizer", "show", given],
        ["tokenizer", "import", given, "--out", out],
        ["tokenizer", "train", given, "--vocab-size", 257, "--out", out],
        ["data", "prepare", given, "--tokenizer", corpus / "tok", "--out", out],
        ["data", "prepare", rows / "text.txt", "--tokenizer", given, "--out", out],
        ["data", "prepare", rows / "text.txt", "--tokenizer", corpus / "tok", "--out", out, "--evaluation", given],
        ["pretrain", "--data", given, "--out", out],
        ["pretrain", "--data", corpus / "data", "--out", out, "--config", given],
        ["pretrain", "--data", corpus / "data", "--out", out, "--resume", given],
        ["finetune", "classify", "--base", given, "--data", rows / "labels.csv", "--out", out],
        ["finetune", "classify", "--base", base, "--data", given, "--out", out],
        ["finetune", "instruct", "--base", base, "--data", given, "--out", out],
        ["align", "reward", "--base", base, "--data", given, "--out", out],
        ["align", "dpo", "--base", base, "--data", given, "--out", out],
        ["align", "ppo", "--base", base, "--reward", given, "--data", rows / "pairs.jsonl", "--out", out],
        ["generate", given, "--prompt", "x"],
        ["chat", given],
        ["classify", given, "x"],
        ["classify", base, "--file", given],
        ["evaluate", given],
        ["evaluate", base, "--data", given],
        ["evaluate", base, "--tasks", "lambada", "--data", given],
        ["report", given],
    ]


def assert_refused(answer: Called, line: list[object], words: str = "", path: Path | None = None) -> None:
    code, _, errors = answer
    assert code == 2, (line, errors)
    *_, first, second = errors.splitlines()
    assert first.startswith("error: "), (line, errors)
    assert second.startswith("  hint: "), (line, errors)
    assert words in first, (line, errors)
    assert "defect" not in errors, (line, errors)
    if path is not None:
        assert first.count(str(path)) == 1, (line, errors)


def test_every_verb_reports_a_folder_without_permission(
    call: Callable[..., Called], corpus: Path, base: Path, rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "locked" / "inside").mkdir(parents=True)
    (tmp_path / "locked").chmod(0)
    try:
        with permissions_count():
            for line in outputs(corpus, base, rows, tmp_path / "locked" / "inside"):
                assert_refused(call(*line), line, "Permission denied", tmp_path / "locked" / "inside")
            for line in inputs(corpus, base, rows, tmp_path / "locked" / "inside", tmp_path / "out"):
                assert_refused(call(*line), line, "Permission denied", tmp_path / "locked" / "inside")
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locked"]


@pytest.mark.parametrize("name", ["n" * 300, "file/inside", "circle"])
def test_every_verb_refuses_a_path_that_cannot_exist(
    call: Callable[..., Called], corpus: Path, base: Path, rows: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "circle").symlink_to("circle")
    for line in outputs(corpus, base, rows, tmp_path / name):
        if name == "circle" and line[:2] == ["data", "get"]:
            continue  # it replaces the link, once the file has come
        assert_refused(call(*line), line)
    for line in inputs(corpus, base, rows, tmp_path / name, tmp_path / "out"):
        assert_refused(call(*line), line)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_unreadable_file_of_a_model_is_named_once(
    call: Callable[..., Called], base: Path, tmp_path: Path, file: str
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for path in (base / "model").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    (model / file).chmod(0)
    for line in (["generate", model, "--prompt", "x"], ["evaluate", model, "--data", model / "config.json"]):
        with permissions_count():
            code, _, errors = call(*line)
        assert code == 2, errors
        assert f"error: cannot read {model / file}: Permission denied\n" in errors


def test_training_on_a_disk_without_fsync_chmod_or_locks_works_and_warns_once(
    call: Callable[..., Called], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> Callable[..., None]:
        def fail(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        return fail

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    monkeypatch.setattr(os, "chmod", refuse(errno.EPERM))
    monkeypatch.setattr(Path, "chmod", refuse(errno.EPERM))
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    prepare = ["data", "prepare", corpus / "stories.txt", "--tokenizer", corpus / "tok", "--out", tmp_path / "data"]
    code, _, errors = call(*prepare)
    assert code == 0, errors
    assert errors.count("no locks") == 1
    train = ["pretrain", "--data", tmp_path / "data", "--out", tmp_path / "run"]
    code, _, errors = call(*train, "--max-steps", 2, *settings("train.precision=float32"))
    assert code == 0, errors
    assert errors.count("no locks") == 1
    code, _, errors = call(*train, "--max-steps", 4, *settings("train.precision=float32"))  # over what stands
    assert code == 0, errors
    code, text, errors = call("generate", tmp_path / "run", "--prompt", "Once", "--max-tokens", 3)
    assert code == 0, errors
    assert text.startswith("Once")
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


NOBODY = ["setpriv", "--reuid=12345", *(f"--{sort}-caps=+dac_override,+dac_read_search" for sort in ("inh", "ambient"))]
"""A user whom the system does not know, as of `docker run -u 12345`; who may read this checkout all the same."""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_a_home_trains_and_generates(corpus: Path) -> None:
    hidden = ("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if shutil.which("setpriv") is None or subprocess.run([*NOBODY, "true"], capture_output=True).returncode != 0:
        pytest.skip("this system does not let root become another user")
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are root's alone
        Path(place).chmod(0o777)
        shutil.copytree(corpus / "data", Path(place) / "data")
        subprocess.run(["chmod", "-R", "a+rX", place], check=True)
        for words in (
            ["doctor"],
            ["pretrain", "--data", f"{place}/data", "--out", f"{place}/run", "--max-steps", "2", *settings()],
            ["generate", f"{place}/run", "--prompt", "Once", "--max-tokens", "3"],
        ):
            command = [*NOBODY, sys.executable, "-m", "tuppence", *words]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            assert done.returncode == 0, done.stderr


def test_control_characters_of_generated_text_are_escaped_on_a_terminal(
    base: Path, tuppence: Run, tmp_path: Path
) -> None:
    import pty

    controller, terminal = pty.openpty()
    prompt = "x\x1b]52;c;ZXZpbA==\x07"
    done = subprocess.run(
        [sys.executable, "-m", "tuppence", "generate", str(base), "--prompt", prompt, "--max-tokens", "0"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    shown = os.read(controller, 4096)
    os.close(controller)
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in shown
    assert rb"x\x1b]52;c;ZXZpbA==\x07" in shown
    piped = tuppence("generate", base, "--prompt", prompt, "--max-tokens", 0)
    assert piped.stdout == prompt + "\n"


def test_an_error_of_one_rank_is_printed_once(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    release = lock_folder(run, "training")
    try:
        words = ["pretrain", "--data", corpus / "data", "--out", run, "--max-steps", 2]
        done = on_ranks([*words, *settings("train.precision=float32", "train.compile=false")])
    finally:
        release()
    assert done.returncode != 0
    assert done.stderr.count("error: another process is training") == 1
    assert done.stderr.count("\nerror: ") + done.stderr.startswith("error: ") == 1, done.stderr
    assert "defect" not in done.stderr
