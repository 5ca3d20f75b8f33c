"""Every verb takes every input from another storage: whole command lines on `mem://`, and what they record."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.command_lines import finetune_settings, settings
from tests.integration.conftest import Run
from tests.memory_store import Memory

from tuppence.cli import main
from tuppence.cli.places import places_of, verbs
from tuppence.core.config import read_yaml
from tuppence.core.files import read_json
from tuppence.exercises import attempts

Call = Callable[..., str]

SHORT = ("--max-steps", 2, *finetune_settings("train.checkpoint_every=1"))


@pytest.fixture(scope="module")
def origin(corpus: Path, base: Path, tuppence: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the verbs read, and a run of every kind."""
    place = tmp_path_factory.mktemp("origin")
    for name in ("tok", "data", "base"):
        shutil.copytree(corpus / name, place / name)
    stories = (corpus / "stories.txt").read_text()
    (place / "stories.txt").write_text(stories)
    (place / "texts").mkdir()
    (place / "texts" / "one.txt").write_text(stories[:40_000])
    (place / "val.txt").write_text(stories[40_000:50_000])
    (place / "lines.txt").write_text("Call now\nSee you at noon\n")
    (place / "recipe.yaml").write_text("train: {seed: 5}\n")
    (place / "choices.jsonl").write_text(json.dumps({"query": "A", "choices": [" b", " c"], "gold": 0}) + "\n")
    (place / "my.py").write_text("def grad_by_hand(x):\n    return 2 * x + 3\n")
    (place / "files").mkdir()
    lambada = json.dumps({"text": "Mara went to the old mill"}) + "\n"
    (place / "files" / "lambada_test.jsonl").write_text(lambada)
    for kind, file in (("sms", "sms.tsv"), ("instructions", "tasks.json"), ("preferences", "pairs.json")):
        done = tuppence("data", "synth", kind, "--count", 60, "--out", place / file)
        assert done.returncode == 0, done.stderr
    part = ("--tokenizer", place / "tok", "--part", "1/1", "--out", place / "part")
    done = tuppence("data", "prepare", place / "texts", *part)
    assert done.returncode == 0, done.stderr
    runs = {
        "spam": ("finetune", "classify", "--data", place / "sms.tsv"),
        "instruct": ("finetune", "instruct", "--data", place / "tasks.json"),
        "reward": ("align", "reward", "--data", place / "pairs.json"),
        "dpo": ("align", "dpo", "--data", place / "pairs.json"),
        "ppo": ("align", "ppo", "--data", place / "pairs.json", "--reward", place / "reward", "--max-tokens", 4),
    }
    for name, words in runs.items():
        more = ("--set", "align.rollout_prompts=8", "--set", "align.eval_prompts=2") if name == "ppo" else ()
        done = tuppence(*words, "--base", place / "base", "--out", place / name, *SHORT, *more)
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def remote(origin: Path, memory: Memory) -> str:
    """The same behind `mem://`, and nowhere else."""
    memory.put(origin, "mem://b")
    adapter = json.loads(memory.objects["mem://b/instruct/adapter/adapter_config.json"])
    adapter["base_model_name_or_path"] = "mem://b/base/model"
    memory.objects["mem://b/instruct/adapter/adapter_config.json"] = json.dumps(adapter).encode()
    return "mem://b"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs a command line in this process, in an empty folder; returns its stdout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(attempts, "record", lambda *arguments, **keys: 0)  # not for the person who runs the tests

    def run(*words: object, stdin: str = "") -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        out, errors = capsys.readouterr()
        assert left.value.code == 0, errors
        assert "/places/" not in out + errors, "a message names the copy, not the location"
        return out

    return run


MORE_OF = {"align ppo": ("--max-tokens", 4, "--set", "align.rollout_prompts=8", "--set", "align.eval_prompts=2")}
RESUMED = {
    "finetune classify": "spam",
    "finetune instruct": "instruct",
    "align reward": "reward",
    "align dpo": "dpo",
    "align ppo": "ppo",
}
TRAINING = {
    "pretrain": "pretrain --data mem://b/data --config mem://b/recipe.yaml",
    "finetune classify": "finetune classify --base mem://b/base --data mem://b/sms.tsv --val mem://b/sms.tsv"
    " --test mem://b/sms.tsv --config mem://b/recipe.yaml",
    "finetune instruct": "finetune instruct --base mem://b/base --data mem://b/tasks.json --val mem://b/tasks.json"
    " --config mem://b/recipe.yaml",
    "align reward": "align reward --base mem://b/base/model --data mem://b/pairs.json --val mem://b/pairs.json"
    " --config mem://b/recipe.yaml",
    "align dpo": "align dpo --base mem://b/base --data mem://b/pairs.json --val mem://b/pairs.json"
    " --config mem://b/recipe.yaml",
    "align ppo": "align ppo --base mem://b/base --reward mem://b/reward --data mem://b/pairs.json"
    " --val mem://b/pairs.json --config mem://b/recipe.yaml",
}
OTHERS = [
    "tokenizer train mem://b/texts mem://b/val.txt --vocab-size 300 --out tok",
    "tokenizer import mem://b/tok --out tok",
    "tokenizer show mem://b/tok Mara",
    "data prepare mem://b/te*/*.txt --tokenizer mem://b/tok --val mem://b/val.txt --evaluation mem://b/choices.jsonl"
    " --out data",
    "data merge mem://b/part --out merged",
    "generate mem://b/base --prompt Mara --max-tokens 3",
    "generate mem://b/instruct/adapter --prompt Mara --max-tokens 3",
    "chat mem://b/base --max-tokens 3",
    "classify mem://b/spam --file mem://b/lines.txt",
    "evaluate mem://b/base --data mem://b/data",
    "evaluate mem://b/base/model --data mem://b/val.txt --out scores",
    "evaluate mem://b/base mem://b/instruct --tasks choices --task-data choices=mem://b/choices.jsonl",
    "evaluate mem://b/base --tasks lambada --data-dir mem://b/files",
    "evaluate mem://b/spam",
    "evaluate mem://b/spam --data mem://b/sms.tsv",
    "evaluate mem://b/reward --data mem://b/pairs.json",
    "report mem://b/base --out page.html",
    "export mem://b/instruct --to page --beside mem://b/base --out both.html",
    "check grad_by_hand --module mem://b/my.py",
]


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("line", OTHERS)
def test_every_verb_that_reads_takes_its_inputs_from_another_storage(line: str, call: Call) -> None:
    assert call(*line.split(), stdin="Mara went out\n")


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("verb", TRAINING)
def test_every_training_verb_takes_its_inputs_from_another_storage_and_records_their_locations(
    verb: str, call: Call, tuppence: Run, memory: Memory, tmp_path: Path
) -> None:
    words = TRAINING[verb].split()
    for number, option in enumerate(words):
        if option in ("--val", "--test"):
            words[number + 1] = held_out_rows(memory, words[number + 1], option)
    more = MORE_OF.get(verb, ())
    if verb == "pretrain":
        size = settings("model.context_length=32", "train.checkpoint_every=1")
        call(*words, "--out", "first", "--max-steps", 1, *size)
        memory.put(tmp_path / "first", "mem://b/first")
        resume = "mem://b/first/checkpoints/step-00000001"
        call(*words, "--out", "run", "--resume", resume, "--max-steps", 2, *size)
    else:
        resume = f"mem://b/{RESUMED[verb]}/checkpoints/step-00000001"
        seed = ("--set", "train.seed=0")
        call(*words, "--out", "run", *SHORT, *seed, *more, "--resume", resume)
    record: dict[str, Any] = read_yaml(tmp_path / "run" / "run.yaml")
    given = dict(itertools.pairwise(words))
    assert record["resumed_from"] == resume
    assert record["data"]["path"].split(", ")[0] == given["--data"]
    assert record.get("base", {}).get("path") == given.get("--base")
    assert record.get("reward", {}).get("path") == given.get("--reward")
    adapter = tmp_path / "run" / "adapter" / "adapter_config.json"
    if adapter.exists():
        assert read_json(adapter)["base_model_name_or_path"] == "mem://b/base/model"
        if verb != "align reward":
            call("generate", tmp_path / "run" / "adapter", "--prompt", "Mara", "--max-tokens", 3)


def held_out_rows(memory: Memory, place: str, option: str) -> str:
    """Other rows of the same kind than those of `place`, as a new object."""
    suffix = place.rpartition(".")[2]
    content = memory.objects[place].decode()
    if suffix == "json":
        rows = json.loads(content)
        for row in rows:
            for key, value in row.items():
                row[key] = f"{value} {option}" if isinstance(value, str) and value else value
        content = json.dumps(rows[:20])
    else:
        head, *lines = content.splitlines()
        content = "\n".join([head, *(f"{line} {option}" for line in lines[:20])]) + "\n"
    url = f"mem://b/{option.strip('-')}.{suffix}"
    memory.objects[url] = content.encode()
    return url


def test_an_evaluation_follows_the_locations_that_a_run_recorded(
    call: Call, remote: str, memory: Memory, tmp_path: Path
) -> None:
    call(
        "pretrain", "--data", f"{remote}/data", "--out", "base", "--max-steps", 1, *settings("model.context_length=64")
    )
    memory.put(tmp_path / "base", f"{remote}/own")
    more = ("--data", f"{remote}/tasks.json", "--max-steps", 1, *finetune_settings())
    call("finetune", "instruct", "--base", f"{remote}/own", "--out", "tuned", *more)
    found = json.loads(call("evaluate", "tuned", "--max-tokens", 64, "--json"))
    assert found["perplexity"]["data"] == f"{remote}/data"


def test_a_remote_run_is_never_written_to(
    call: Call, remote: str, memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(memory.objects)
    call("evaluate", f"{remote}/base", "--data", f"{remote}/val.txt", "--max-tokens", 64)
    with pytest.raises(SystemExit) as left:
        main(["report", f"{remote}/base"])
    assert left.value.code == 2
    assert (
        "error: mem://b/base cannot be written to\n  hint: name the page to write: --out FILE"
        in capsys.readouterr().err
    )
    assert memory.objects == before


def test_every_input_of_every_verb_is_in_these_command_lines() -> None:
    tried: set[tuple[str, str]] = set()
    for line in [*OTHERS, *(f"{line} --resume mem://b --out run" for line in TRAINING.values())]:
        verb = next(words for words, _ in verbs() if line.startswith(f"{words} "))
        given = dict(verbs())[verb].make_context(verb, line.removeprefix(verb).split()).params
        tried |= {(verb, name) for name, value in given.items() if "mem://" in str(value)}
    inputs = {(verb, name) for verb, _ in verbs() for name, kind in places_of(verb).items() if not kind.is_output}
    elsewhere = {("evaluate", "task_path"): "evaluation/test_lm_eval_tasks.py", ("plan", "own"): "needs four runs"}
    elsewhere |= {(f"aws {verb}", "wheels"): "aws/test_code.py" for verb in ("launch", "prepare")}
    assert inputs - tried == elsewhere.keys()
