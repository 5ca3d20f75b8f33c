"""Every function that a notebook calls takes a path as text as well as a `Path`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.data import catalog
from tuppence.data.prepare import prepare
from tuppence.data.records.conversations import read_conversations
from tuppence.data.records.labelled import read_labelled
from tuppence.data.records.preferences import read_preferences
from tuppence.data.shards import TokenShards, read_index, tokenizer_folder
from tuppence.data.sources import iter_documents, iter_pieces, iter_texts
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate, evaluate_several
from tuppence.figures.quickstart_report.data import LifeState
from tuppence.figures.quickstart_report.page import write_quickstart_report
from tuppence.figures.report.page import write_report
from tuppence.figures.run_data import read_run
from tuppence.model.loaded import inspect as inspect_model
from tuppence.model.loaded import load
from tuppence.model.sampling import Sampling
from tuppence.model.saving import save_model
from tuppence.model.text import generate_text
from tuppence.model.weights import load_model
from tuppence.synthetic.sets import write_set
from tuppence.tasks.classify import run_classify
from tuppence.tasks.dpo import run_dpo
from tuppence.tasks.instruct import run_instruct
from tuppence.tasks.labelled import LabelledFiles
from tuppence.tasks.ppo.run import run_ppo
from tuppence.tasks.pretrain import PretrainRecipe, run_pretraining
from tuppence.tasks.recipe import load_recipe
from tuppence.tasks.reward import run_reward
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.imports import import_tokenizer

FUNCTIONS: list[Callable[..., object]] = [
    *(load_recipe, catalog.get, prepare, iter_pieces, iter_texts, iter_documents, write_set),
    *(TokenShards.open, read_index, tokenizer_folder, read_labelled, read_conversations, read_preferences),
    *(Tokenizer.load, Tokenizer.save, import_tokenizer, load_model, save_model),
    *(run_pretraining, run_instruct, LabelledFiles, run_classify, run_dpo, run_reward, run_ppo),
    *(inspect_model, load, evaluate, evaluate_several),
    *(read_run, write_report, LifeState.read, write_quickstart_report),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__qualname__)
def test_function_that_takes_a_path_takes_text(function: Callable[..., object]) -> None:
    written = inspect.get_annotations(function.__init__ if inspect.isclass(function) else function)
    given = {name: str(hint) for name, hint in written.items() if name != "return"}
    paths = {name: hint for name, hint in given.items() if re.search(r"\b(Path|Inputs)\b", hint)}
    assert paths
    assert [name for name, hint in paths.items() if not re.search(r"\b(str|Inputs)\b", hint)] == []


def test_every_step_from_text_to_report_takes_paths_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out/text.txt").write_text("the rain in spain falls mainly on the plain, they say. " * 200)
    train_tokenizer(iter_texts("out/text.txt"), 270).save("out/tok")
    prepare("out/text.txt", Tokenizer.load("out/tok"), "out/data", val_fraction=0.1, workers=1)
    assert len(TokenShards.open("out/data")) > 100
    small = ["model={n_layers: 1, n_heads: 2, d_model: 8, context_length: 16}", "train.batch_size=2"]
    recipe = load_recipe(PretrainRecipe, overrides=[*small, "train.max_steps=2", "train.compile=false"])
    run_pretraining("out/data", "out/run", recipe, RunOptions())
    save_model(load_model("out/run"), "out/copy", tokenizer=Tokenizer.load("out/run/model"))
    (completion,) = generate_text(load_model("out/copy"), Tokenizer.load("out/copy"), ["the"], Sampling(max_tokens=3))
    assert completion.completion_tokens <= 3
    settings = EvalConfig(data="out/text.txt")
    one = evaluate("out/run", config=settings, device="cpu", out="out/numbers")
    both = evaluate_several(["out/run", "out/copy"], config=settings, device="cpu", out="out/both")
    assert both["runs"]["copy"]["perplexity"]["loss"] == one["perplexity"]["loss"]
    assert write_report("out/run") == Path("out/run/report.html")
