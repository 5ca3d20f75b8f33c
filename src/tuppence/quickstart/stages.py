"""The stages of the quickstart: their titles, and the commands that do the same.

`actions` does them. `life` decides which stages are needed, and `pace` how large they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tuppence.quickstart import actions, measure
from tuppence.quickstart.actions import PLOTS, SEED, VOCABULARY, Numbers
from tuppence.quickstart.pace import WORK
from tuppence.quickstart.plan import READ_BY, Plan, Share
from tuppence.quickstart.recipes import PROMPT, STORY

Shares: TypeAlias = Mapping[str, Share]
"""Stage → its size."""


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
            lambda: actions.make_stories(plan, count),
        ),
        Stage(
            "tokenizer",
            "Train a tokenizer on them",
            f"tuppence tokenizer train {stories} --vocab-size {VOCABULARY} --out {tokenizer}",
            lambda: actions.make_tokenizer(plan),
        ),
        Stage(
            "data",
            "Turn the stories into tokens, some held out",
            f"tuppence data prepare {stories} --tokenizer {tokenizer} --val-fraction 0.02 --out {data}",
            lambda: actions.make_tokens(plan),
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
            lambda: actions.pretrain(plan, shares["pretrain"]),
            pretrain,
        ),
        Stage(
            "spam",
            "Finetune it to tell spam from other messages",
            f"{_synth(plan, shares, 'sms')}\n"
            f"tuppence finetune classify --base {pretrain} --data {actions.rows_file(plan, 'sms')}"
            f" --config quickstart-spam{plan.limits(shares['spam'])}"
            f" --out {spam}",
            lambda: actions.train_spam(plan, shares["spam"]),
            spam,
        ),
        Stage(
            "instruct",
            "Teach it to follow instructions, with LoRA",
            f"{_synth(plan, shares, 'instructions')}\n"
            f"tuppence finetune instruct --base {pretrain} --data {actions.rows_file(plan, 'instructions')}"
            f" --config quickstart-instruct{plan.limits(shares['instruct'])}"
            f" --out {instruct}",
            lambda: actions.train_instruct(plan, shares["instruct"]),
            instruct,
        ),
        Stage(
            "dpo",
            "Align it with preferences, by DPO",
            f"{_synth(plan, shares, 'preferences')}\n"
            f"tuppence align dpo --base {instruct} --data {actions.rows_file(plan, 'preferences')}"
            f" --config quickstart-dpo{plan.limits(shares['dpo'])}"
            f" --out {dpo}",
            lambda: actions.train_dpo(plan, shares["dpo"]),
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
            lambda: actions.write_reports(plan),
        ),
    ]


def _synth(plan: Plan, shares: Shares, name: str) -> str:
    count = plan.count(name, shares[READ_BY[name]])
    return f"tuppence data synth {name} --count {count} --out {actions.rows_file(plan, name)}"
