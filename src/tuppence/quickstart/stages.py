"""The stages of the quickstart. Each calls the function of a verb, and has the command that does the same.

`life` decides which stages are needed, and `pace` how large they are. Training stages can be called again at any time,
like their verbs: a finished run is left as it is, an unfinished one continues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from tuppence.quickstart import measure
from tuppence.quickstart.pace import WORK
from tuppence.quickstart.plan import READ_BY, Plan, Share
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

Shares: TypeAlias = Mapping[str, Share]
"""Stage → its size."""

SEED, VOCABULARY, PLOTS, UNSEEN_TOKENS = 0, 4096, 8, 1_000

FILES = {"sms": "sms.tsv", "instructions": "instructions.json", "preferences": "preferences.json"}
"""Set → its file below the root."""


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: one of `quickstart.STAGES`.
        title: printed in the terminal.
        command: the command line that does the same.
        do: runs the stage.
        run: the run folder that it writes, if any.
    """

    name: str
    title: str
    command: str
    do: Callable[[], Numbers]
    run: Path | None = None


def list_stages(plan: Plan, shares: Shares, left_out: Mapping[str, str] | None = None) -> list[Stage]:
    """Returns all stages, in order.

    Args:
        plan: the user's choices.
        shares: the sizes of the stages.
        left_out: stages that are not done; by default those that the plan skips.
    """
    models = plan.models(plan.left_out if left_out is None else left_out)
    return [*_data_stages(plan, shares), *_training_stages(plan, shares), *_last_stages(plan, shares, models)]


def _data_stages(plan: Plan, shares: Shares) -> list[Stage]:
    stories, tokenizer, data = plan.place("stories.txt"), plan.place("tokenizer"), plan.place("data")
    count = shares["stories"].amount or WORK["stories"].most
    return [
        Stage(
            "stories",
            f"Make {count:,} short stories to learn from",
            f"tuppence data synth stories --count {count} --plots {PLOTS} --out {stories}",
            lambda: _make_stories(plan, count),
        ),
        Stage(
            "tokenizer",
            "Train a tokenizer on them",
            f"tuppence tokenizer train {stories} --vocab-size {VOCABULARY} --out {tokenizer}",
            lambda: _train_tokenizer(plan),
        ),
        Stage(
            "data",
            "Turn the stories into tokens, some held out",
            f"tuppence data prepare {stories} --tokenizer {tokenizer} --val-fraction 0.02 --out {data}",
            lambda: _prepare(plan),
        ),
    ]


def _training_stages(plan: Plan, shares: Shares) -> list[Stage]:
    pretrain, spam, instruct, dpo = (plan.place(name) for name in ("pretrain", "spam", "instruct", "dpo"))
    sampling = f"--max-tokens {STORY.max_tokens} --temperature {STORY.temperature:g} --top-p {STORY.top_p:g}"
    return [
        Stage(
            "pretrain",
            "Pretrain a GPT on them, and generate a story",
            f"tuppence pretrain --data {plan.place('data')} --config quickstart"
            f"{plan.limits(shares['pretrain'])} --out {pretrain}\n"
            f"tuppence generate {pretrain} --prompt '{PROMPT}' {sampling} --seed {STORY.seed}",
            lambda: _pretrain(plan, shares["pretrain"]),
            pretrain,
        ),
        Stage(
            "spam",
            "Finetune it to tell spam from other messages",
            f"{_synth(plan, shares, 'sms')}\n"
            f"tuppence finetune classify --base {pretrain} --data {_rows_file(plan, 'sms')}"
            f" --config quickstart-spam{plan.limits(shares['spam'])}"
            f" --out {spam}",
            lambda: _spam(plan, shares["spam"]),
            spam,
        ),
        Stage(
            "instruct",
            "Teach it to follow instructions, with LoRA",
            f"{_synth(plan, shares, 'instructions')}\n"
            f"tuppence finetune instruct --base {pretrain} --data {_rows_file(plan, 'instructions')}"
            f" --config quickstart-instruct{plan.limits(shares['instruct'])}"
            f" --out {instruct}",
            lambda: _instruct(plan, shares["instruct"]),
            instruct,
        ),
        Stage(
            "dpo",
            "Align it with preferences, by DPO",
            f"{_synth(plan, shares, 'preferences')}\n"
            f"tuppence align dpo --base {instruct} --data {_rows_file(plan, 'preferences')}"
            f" --config quickstart-dpo{plan.limits(shares['dpo'])}"
            f" --out {dpo}",
            lambda: _dpo(plan, shares["dpo"]),
            dpo,
        ),
    ]


def _last_stages(plan: Plan, shares: Shares, models: list[Path]) -> list[Stage]:
    asked = shares["evaluate"].amount or WORK["evaluate"].most
    made = plan.count("instructions", shares["instruct"])
    return [
        Stage(
            "evaluate",
            f"Ask {', '.join(model.name for model in models)} the same held-out questions",
            measure.command(plan.root, models, asked),
            lambda: measure.evaluate_models(plan.root, models, made, SEED, asked),
        ),
        Stage(
            "report",
            "Write the report of all stages",
            f"tuppence report {plan.root}",
            lambda: _report(plan),
        ),
    ]


# ---- the functions ------------------------------------------------------------------------------------------------


def _make_stories(plan: Plan, count: int) -> Numbers:
    path = plan.place("stories.txt")
    size = write_set(SETS["stories"], path, count, SEED, plots=PLOTS)
    sample = next(iter_stories(1, SEED, PLOTS))
    note(_indented(sample), lines=True)
    return {"stories": count, "bytes": size, "sample": sample}


def _train_tokenizer(plan: Plan) -> Numbers:
    folder = plan.place("tokenizer")
    if not plan.is_done("tokenizer"):
        train_tokenizer(iter_texts([str(plan.place("stories.txt"))]), VOCABULARY).save(folder)
    tokenizer = Tokenizer.load(folder)
    text = "The lighthouse keeper whispered."
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode(text)]
    note(f"      {text!r} is cut into: {' | '.join(pieces)}")
    return {"vocab_size": tokenizer.vocab_size, "pieces": pieces}


def _prepare(plan: Plan) -> Numbers:
    tokenizer = Tokenizer.load(plan.place("tokenizer"))
    summary = prepare([str(plan.place("stories.txt"))], tokenizer, plan.place("data"), val_fraction=0.02)
    tokens = {split: numbers["tokens"] for split, numbers in summary.splits.items()}
    note("      " + ", ".join(f"{split}: {count:,} tokens" for split, count in tokens.items()))
    return tokens


def _pretrain(plan: Plan, share: Share) -> Numbers:
    run, data = plan.place("pretrain"), plan.place("data")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        return run_pretraining(data, run, PRETRAIN.model_copy(update={"train": config}), options)

    summary = _train_enough(plan, "pretrain", share, PRETRAIN.train, train)
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


def _spam(plan: Plan, share: Share) -> Numbers:
    data, out = _make_rows(plan, share, "sms"), plan.place("spam")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = SPAM.model_copy(update={"train": config})
        return run_classify(plan.place("pretrain"), LabelledFiles(data), out, recipe, options)

    summary = _train_enough(plan, "spam", share, SPAM.train, train)
    if "evaluation" not in summary:  # the time limit of the stage left no time for it
        summary = {**summary, "evaluation": measure_classifier(out, SPAM.train.device)}
    note(f"      {summary['evaluation']['classification']['verdict']}")
    return summary


def _instruct(plan: Plan, share: Share) -> Numbers:
    data = _make_rows(plan, share, "instructions")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = INSTRUCT.model_copy(update={"train": config})
        return run_instruct(plan.place("pretrain"), data, plan.place("instruct"), recipe, options)

    return _train_enough(plan, "instruct", share, INSTRUCT.train, train)


def _dpo(plan: Plan, share: Share) -> Numbers:
    data = _make_rows(plan, share, "preferences")

    def train(config: TrainConfig, options: RunOptions) -> Numbers:
        recipe = DPO.model_copy(update={"train": config})
        return run_dpo(plan.place("instruct"), data, plan.place("dpo"), recipe, options)

    return _train_enough(plan, "dpo", share, DPO.train, train)


def _train_enough(
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


def _report(plan: Plan) -> Numbers:
    for name in ("pretrain", "spam", "instruct", "dpo"):
        if plan.is_done(name):
            write_report(plan.place(name))
    page = write_quickstart_report(plan.root)
    note(f"      open {page}")
    return {"report": str(page)}


def _rows_file(plan: Plan, name: str) -> Path:
    return plan.place(FILES[name])


def _synth(plan: Plan, shares: Shares, name: str) -> str:
    count = plan.count(name, shares[READ_BY[name]])
    return f"tuppence data synth {name} --count {count} --out {_rows_file(plan, name)}"


def _make_rows(plan: Plan, share: Share, name: str) -> Path:
    """Writes a set with the rows that a stage of that size needs, and returns its file."""
    file = _rows_file(plan, name)
    write_set(SETS[name], file, plan.count(name, share), SEED)
    return file


def _indented(text: str) -> str:
    return "      " + text.replace("\n", "\n      ")
