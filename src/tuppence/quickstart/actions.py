"""The functions that do the stages of the quickstart, each with the function of a verb; `stages` lists them.

Training stages can be called again at any time, like their verbs: a finished run is left as it is, an unfinished one
continues.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from tuppence.core.console import counted, note
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards, read_index
from tuppence.data.sources import iter_texts
from tuppence.evaluation.copied import copied, describe_copied
from tuppence.figures.quickstart_report.page import write_quickstart_report
from tuppence.figures.report.page import write_report
from tuppence.model.loaded import load
from tuppence.model.text import generate_text
from tuppence.quickstart.pace import WORK
from tuppence.quickstart.plan import Plan, Share
from tuppence.quickstart.recipes import DPO, INSTRUCT, PRETRAIN, PROMPT, SPAM, STORY
from tuppence.synthetic import iter_stories
from tuppence.synthetic.sets import SETS, write_set
from tuppence.tasks.classify import measure as measure_classifier
from tuppence.tasks.classify import run_classify
from tuppence.tasks.dpo import run_dpo
from tuppence.tasks.instruct import run_instruct
from tuppence.tasks.labelled import LabelledFiles
from tuppence.tasks.pretrain import run_pretraining
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.training.config import TrainConfig

Numbers: TypeAlias = dict[str, Any]
"""The result of a stage: plain values ready for JSON."""

SEED, VOCABULARY, PLOTS = 0, 4096, 8

UNSEEN_TOKENS = 1_000
"""Held-out tokens that the generated story is compared with."""

FILES = {"sms": "sms.tsv", "instructions": "instructions.json", "preferences": "preferences.json"}
"""Set → its file below the root."""


def make_stories(plan: Plan, count: int) -> Numbers:
    """Writes the stories, and prints one."""
    path = plan.place("stories.txt")
    size = write_set(SETS["stories"], path, count, SEED, plots=PLOTS)
    sample = next(iter_stories(1, SEED, PLOTS))
    note(_indented(sample), lines=True)
    return {"stories": count, "bytes": size, "sample": sample}


def make_tokenizer(plan: Plan) -> Numbers:
    """Trains the tokenizer unless it exists, and prints the tokens of a sentence."""
    folder = plan.place("tokenizer")
    if not plan.is_done("tokenizer"):
        train_tokenizer(iter_texts([str(plan.place("stories.txt"))]), VOCABULARY).save(folder)
    tokenizer = Tokenizer.load(folder)
    text = "The lighthouse keeper whispered."
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode(text)]
    note(f"      {text!r} is cut into: {' | '.join(pieces)}")
    return {"vocab_size": tokenizer.vocab_size, "pieces": pieces}


def make_tokens(plan: Plan) -> Numbers:
    """Encodes the stories, and holds out a part of them."""
    tokenizer = Tokenizer.load(plan.place("tokenizer"))
    summary = prepare([str(plan.place("stories.txt"))], tokenizer, plan.place("data"), val_fraction=0.02)
    tokens = {split: numbers["tokens"] for split, numbers in summary.splits.items()}
    note("      " + ", ".join(f"{split}: {count:,} tokens" for split, count in tokens.items()))
    return tokens


def pretrain(plan: Plan, share: Share) -> Numbers:
    """Pretrains the base, and prints a generated story with the share of it that is copied."""
    run, data = plan.place("pretrain"), plan.place("data")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        return run_pretraining(data, run, PRETRAIN.model_copy(update={"train": config}), options)

    summary = train_enough(plan, "pretrain", share, PRETRAIN.train, train)
    trained = load(run, "cpu", "float32", head="lm")
    model, tokenizer = trained.model, trained.tokenizer
    (completion,) = generate_text(model, tokenizer, [PROMPT], STORY)
    note(_indented(PROMPT + completion.text), lines=True)
    copies = _describe_copies(data, tokenizer.encode(PROMPT + completion.text))
    if copies:
        note(f"      ({copies})")
    return {**summary, "prompt": PROMPT, "sample": PROMPT + completion.text, "copied": copies}


def _describe_copies(data: Path, ids: list[int]) -> str:
    """Says how much of a text is copied from the training text; "" without held-out text to compare with."""
    if "val" not in read_index(data).splits:
        return ""
    train, unseen = (TokenShards.open(data, split, verify="size") for split in ("train", "val"))
    held_out = unseen.window(0, min(len(unseen), UNSEEN_TOKENS)).tolist()
    return describe_copied(copied(ids, train), copied(held_out, train))


def train_spam(plan: Plan, share: Share) -> Numbers:
    """Finetunes the spam classifier, and prints whether it beats the baselines."""
    data, out = _make_rows(plan, share, "sms"), plan.place("spam")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = SPAM.model_copy(update={"train": config})
        return run_classify(plan.place("pretrain"), LabelledFiles(data), out, recipe, options)

    summary = train_enough(plan, "spam", share, SPAM.train, train)
    if "evaluation" not in summary:  # the time limit of the stage left no time for it
        summary = {**summary, "evaluation": measure_classifier(out, SPAM.train.device)}
    note(f"      {summary['evaluation']['classification']['verdict']}")
    return summary


def train_instruct(plan: Plan, share: Share) -> Numbers:
    """Finetunes the instruction model."""
    data = _make_rows(plan, share, "instructions")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = INSTRUCT.model_copy(update={"train": config})
        return run_instruct(plan.place("pretrain"), data, plan.place("instruct"), recipe, options)

    return train_enough(plan, "instruct", share, INSTRUCT.train, train)


def train_dpo(plan: Plan, share: Share) -> Numbers:
    """Aligns the instruction model with preferences."""
    data = _make_rows(plan, share, "preferences")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = DPO.model_copy(update={"train": config})
        return run_dpo(plan.place("instruct"), data, plan.place("dpo"), recipe, options)

    return train_enough(plan, "dpo", share, DPO.train, train)


def train_enough(
    plan: Plan,
    name: str,
    share: Share,
    recipe: TrainConfig,
    train: Callable[[TrainConfig, RunOptions], Numbers],
) -> Numbers:
    """Trains a stage. If its time limit ends it before the least useful steps, it continues to them without a limit."""
    config = plan.train(recipe, share)
    summary = train(config, plan.options(share))
    least = 1 if share.amount is None else min(share.amount, WORK[name].least)
    made = summary["result"]["steps"]
    if made < least:
        note(f"      {counted(made, 'step')} in {share.minutes:g} minutes is too little: it continues to {least}")
        enough = Share(least)
        summary = train(plan.train(recipe, enough), plan.options(enough))
    return summary


def write_reports(plan: Plan) -> Numbers:
    """Writes the report of each run, and of the whole quickstart."""
    for name in ("pretrain", "spam", "instruct", "dpo"):
        if plan.is_done(name):
            write_report(plan.place(name))
    page = write_quickstart_report(plan.root)
    note(f"      open {page}")
    return {"report": str(page)}


def rows_file(plan: Plan, name: str) -> Path:
    """Returns the file of a set."""
    return plan.place(FILES[name])


def _make_rows(plan: Plan, share: Share, name: str) -> Path:
    """Writes a set with the rows that a stage of that size needs, and returns its file."""
    file = rows_file(plan, name)
    write_set(SETS[name], file, plan.count(name, share), SEED)
    return file


def _indented(text: str) -> str:
    return "      " + text.replace("\n", "\n      ")
