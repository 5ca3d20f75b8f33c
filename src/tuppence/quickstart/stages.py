"""What each stage of the quickstart does. Every one calls what a verb calls, and says which command line it was.

A stage does not know whether it is needed: `life` passes over what stands already. Training stages are safe to call
again at any time, as their verbs are: a finished run is left as it is, an unfinished one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tuppence.core.console import note
from tuppence.core.rundir import RunDir
from tuppence.data.prepare import prepare
from tuppence.data.sources import iter_texts
from tuppence.data.synthetic import iter_stories
from tuppence.data.synthetic.sets import SETS, write_set
from tuppence.figures.report import write_report
from tuppence.figures.story import write_story
from tuppence.model.text import generate_text
from tuppence.model.weights import load_model
from tuppence.quickstart import measure
from tuppence.quickstart.plan import CAPS, Plan
from tuppence.quickstart.recipes import DPO, INSTRUCT, PRETRAIN, PROMPT, SPAM
from tuppence.tasks.classify import LabelledFiles, run_classify
from tuppence.tasks.dpo import run_dpo
from tuppence.tasks.instruct import run_instruct
from tuppence.tasks.pretrain import run_pretraining
from tuppence.tokenizer import Tokenizer, train_tokenizer

Numbers: TypeAlias = dict[str, Any]
"""What a stage found: plain values ready for JSON."""

SEED, VOCABULARY = 0, 4096
STORY = {"max_tokens": 180, "temperature": 0.7, "seed": 1}


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: one of `quickstart.STAGES`.
        title: what it does, for people.
        command: the command line that does the same.
        seconds: about how long it takes on two quiet cores.
        do: does it.
        run: the run folder that it makes, if it makes one.
    """

    name: str
    title: str
    command: str
    seconds: float
    do: Callable[[], Numbers]
    run: Path | None = None


def list_stages(plan: Plan) -> list[Stage]:
    """All stages, in order."""
    return [*_data_stages(plan), *_training_stages(plan), *_last_stages(plan)]


def _data_stages(plan: Plan) -> list[Stage]:
    stories, tokenizer, data = plan.place("stories.txt"), plan.place("tokenizer"), plan.place("data")
    return [
        Stage(
            "stories",
            f"Make {plan.stories:,} short stories to learn from",
            f"tuppence data synth stories --count {plan.stories} --out {stories}",
            6,
            lambda: _make_stories(plan),
        ),
        Stage(
            "tokenizer",
            "Learn a tokenizer from them",
            f"tuppence tokenizer train {stories} --vocab-size {VOCABULARY} --out {tokenizer}",
            2,
            lambda: _learn_tokenizer(plan),
        ),
        Stage(
            "data",
            "Turn the stories into tokens, some held out",
            f"tuppence data prepare {stories} --tokenizer {tokenizer} --val-fraction 0.02 --out {data}",
            3,
            lambda: _prepare(plan),
        ),
    ]


def _training_stages(plan: Plan) -> list[Stage]:
    pretrain, spam, instruct, dpo = (plan.place(name) for name in ("pretrain", "spam", "instruct", "dpo"))
    written = " ".join(f"--{key.replace('_', '-')} {value:g}" for key, value in STORY.items())
    return [
        Stage(
            "pretrain",
            "Pretrain a GPT on them, and let it write",
            f"tuppence pretrain --data {plan.place('data')} --config configs/quickstart.yaml"
            f"{plan.limits(PRETRAIN.train, plan.minutes)} --out {pretrain}\n"
            f"tuppence generate {pretrain} --prompt '{PROMPT}' {written}",
            plan.minutes * 60 + 4,
            lambda: _pretrain(plan),
            pretrain,
        ),
        Stage(
            "spam",
            "Finetune it to tell spam from other messages",
            f"{_synth(plan, 'sms', 'sms.tsv')}\n"
            f"tuppence finetune classify --base {pretrain} --data {plan.place('sms.tsv')}"
            f" --config configs/quickstart-spam.yaml{plan.limits(SPAM.train, CAPS['spam'])}"
            f" --out {spam}",
            40,
            lambda: _spam(plan),
            spam,
        ),
        Stage(
            "instruct",
            "Teach it to follow instructions, with LoRA",
            f"{_synth(plan, 'instructions', 'instructions.json')}\n"
            f"tuppence finetune instruct --base {pretrain} --data {plan.place('instructions.json')}"
            f" --config configs/quickstart-instruct.yaml{plan.limits(INSTRUCT.train, CAPS['instruct'])}"
            f" --out {instruct}",
            95,
            lambda: _instruct(plan),
            instruct,
        ),
        Stage(
            "dpo",
            "Align it with preferences, by DPO",
            f"{_synth(plan, 'preferences', 'preferences.json')}\n"
            f"tuppence align dpo --base {instruct} --data {plan.place('preferences.json')}"
            f" --config configs/quickstart-dpo.yaml{plan.limits(DPO.train, CAPS['dpo'])}"
            f" --out {dpo}",
            20,
            lambda: _dpo(plan),
            dpo,
        ),
    ]


def _last_stages(plan: Plan) -> list[Stage]:
    return [
        Stage(
            "evaluate",
            "Ask base, instruction and DPO model the same held-out questions",
            measure.command(plan.root, plan.models),
            15,
            lambda: measure.evaluate_models(plan.root, plan.models, plan.count("instructions"), SEED),
        ),
        Stage(
            "report",
            "Tell the whole life on one page",
            f"tuppence report {plan.root}",
            8,
            lambda: _report(plan),
        ),
    ]


# ---- what they do ------------------------------------------------------------------------------------------------


def _make_stories(plan: Plan) -> Numbers:
    path = plan.place("stories.txt")
    size = write_set(SETS["stories"], path, plan.stories, SEED)
    sample = next(iter_stories(1, SEED))
    note(_indented(sample), lines=True)
    return {"stories": plan.stories, "bytes": size, "sample": sample}


def _learn_tokenizer(plan: Plan) -> Numbers:
    folder = plan.place("tokenizer")
    if not (folder / "tokenizer.json").exists():
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


def _pretrain(plan: Plan) -> Numbers:
    run = plan.place("pretrain")
    recipe = PRETRAIN.model_copy(update={"train": plan.train(PRETRAIN.train)})
    summary = run_pretraining(plan.place("data"), run, recipe, plan.options(plan.minutes))
    model, tokenizer = load_model(run), Tokenizer.load(RunDir(run).model)
    (completion,) = generate_text(
        model, tokenizer, [PROMPT], max_tokens=180, temperature=STORY["temperature"], seed=int(STORY["seed"])
    )
    note(_indented(PROMPT + completion.text), lines=True)
    return {**summary, "prompt": PROMPT, "sample": PROMPT + completion.text}


def _spam(plan: Plan) -> Numbers:
    data = plan.place("sms.tsv")
    write_set(SETS["sms"], data, plan.count("sms"), SEED)
    recipe = SPAM.model_copy(update={"train": plan.train(SPAM.train)})
    given, options = LabelledFiles(data), plan.options(CAPS["spam"])
    summary = run_classify(plan.place("pretrain"), given, plan.place("spam"), recipe, options)
    if "evaluation" in summary:  # on a very slow machine the stage's minutes may leave no time for it
        note(f"      {summary['evaluation']['classification']['verdict']}")
    return summary


def _instruct(plan: Plan) -> Numbers:
    data = plan.place("instructions.json")
    write_set(SETS["instructions"], data, plan.count("instructions"), SEED)
    recipe = INSTRUCT.model_copy(update={"train": plan.train(INSTRUCT.train)})
    return run_instruct(plan.place("pretrain"), data, plan.place("instruct"), recipe, plan.options(CAPS["instruct"]))


def _dpo(plan: Plan) -> Numbers:
    data = plan.place("preferences.json")
    write_set(SETS["preferences"], data, plan.count("preferences"), SEED)
    recipe = DPO.model_copy(update={"train": plan.train(DPO.train)})
    return run_dpo(plan.place("instruct"), data, plan.place("dpo"), recipe, plan.options(CAPS["dpo"]))


def _report(plan: Plan) -> Numbers:
    for stage in _training_stages(plan):
        if stage.run is not None and plan.stands(stage.name):
            write_report(stage.run)
    page = write_story(plan.root)
    note(f"      open {page}")
    return {"report": str(page)}


def _synth(plan: Plan, name: str, file: str) -> str:
    return f"tuppence data synth {name} --count {plan.count(name)} --out {plan.place(file)}"


def _indented(text: str) -> str:
    return "      " + text.replace("\n", "\n      ")
