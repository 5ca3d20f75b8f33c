"""`tuppence align …`: a model that answers learns what people prefer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.cli import options

Preferences = Annotated[Path, typer.Option(help="Pairs: prompt (or instruction), chosen, rejected; or HH-RLHF's.")]
HeldOut = Annotated[Path | None, typer.Option("--val", help="Held-out pairs; a tenth of --data if absent.")]
Rank = Annotated[int | None, typer.Option("--lora", min=1, help="Train an adapter of this rank; 16 if absent.")]
Full = Annotated[bool, typer.Option("--full", help="Train every weight instead; best at a lower --set train.lr.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    align = typer.Typer(help="Teach a model what people prefer.", no_args_is_help=True)
    for verb in (reward, dpo, ppo):
        align.command()(verb)
    app.add_typer(align, name="align")


@options.metered
def reward(
    base: options.Base,
    data: Preferences,
    out: options.Out,
    val: HeldOut = None,
    lora: Rank = None,
    full: Full = False,
    skip_bad_rows: options.SkipBadRows = False,
    epochs: options.Epochs = None,
    config: options.Recipe = None,
    set_: options.Set = None,
    max_steps: options.MaxSteps = None,
    max_minutes: options.MaxMinutes = None,
    budget: options.Budget = None,
    rate: options.HourlyRate = 0.0,
    resume: options.Resume = "auto",
    track: options.Track = "none",
    json: options.Json = False,
) -> None:
    """Train a reward model: a number for each answer, higher for the one that people like better.

    RUN/model opens as GPT2ForSequenceClassification with one label. 'tuppence evaluate RUN' measures it on its held-out
    pairs, 'tuppence align ppo' trains against it.

    \b
    Examples:
      tuppence align reward --base runs/instruct --data preferences.json --out runs/reward
      tuppence align reward --base ./gpt2 --data hh-rlhf.jsonl.gz --full --epochs 1 --out runs/reward
    """
    _one_of(lora, full)
    from tuppence.core.config import load_config
    from tuppence.tasks.reward import RewardConfig, run_reward

    over = options.overrides(set_, **_common(lora, full, epochs, max_steps))
    recipe = load_config(RewardConfig, config, over)
    run = options.run_options(max_minutes, budget, rate, resume, track)
    options.train_and_tell(
        lambda: run_reward(base, data, out, recipe, run, val=val, skip_bad_rows=skip_bad_rows),
        out,
        json,
        f"tuppence evaluate {out}",
    )


@options.metered
def dpo(
    base: options.Base,
    data: Preferences,
    out: options.Out,
    val: HeldOut = None,
    beta: Annotated[float | None, typer.Option(help="How dear a distance from the base is; 0.1 if absent.")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="The share of labels taken to be wrong; 0 if absent.")
    ] = None,
    lora: Rank = None,
    full: Full = False,
    skip_bad_rows: options.SkipBadRows = False,
    epochs: options.Epochs = None,
    config: options.Recipe = None,
    set_: options.Set = None,
    max_steps: options.MaxSteps = None,
    max_minutes: options.MaxMinutes = None,
    budget: options.Budget = None,
    rate: options.HourlyRate = 0.0,
    resume: options.Resume = "auto",
    track: options.Track = "none",
    json: options.Json = False,
) -> None:
    """Direct preference optimisation: learn to prefer the chosen answers, with no reward model.

    The base is the reference: with an adapter it is the model without it. RUN/model is the whole model, RUN/adapter the
    LoRA adapter, and RUN/held-out.jsonl what was held out, with answers before and after.

    \b
    Examples:
      tuppence align dpo --base runs/instruct --data preferences.json --out runs/dpo
      tuppence align dpo --base runs/instruct --data preferences.json --beta 0.3 --full --out runs/dpo-full
    """
    _one_of(lora, full)
    from tuppence.core.config import load_config
    from tuppence.tasks.dpo import DPOConfig, run_dpo

    over = options.overrides(
        set_,
        align__beta=beta,
        align__label_smoothing=label_smoothing,
        **_common(lora, full, epochs, max_steps),
    )
    recipe = load_config(DPOConfig, config, over)
    run = options.run_options(max_minutes, budget, rate, resume, track)
    options.train_and_tell(
        lambda: run_dpo(base, data, out, recipe, run, val=val, skip_bad_rows=skip_bad_rows),
        out,
        json,
        f"tuppence chat {out}",
    )


@options.metered
def ppo(
    base: options.Base,
    reward: Annotated[Path, typer.Option(help="A run of 'tuppence align reward'.")],
    data: Annotated[Path, typer.Option(help="Prompts: those of preferences or instructions, in any format we read.")],
    out: options.Out,
    val: Annotated[Path | None, typer.Option(help="Held-out prompts; a tenth of --data if absent.")] = None,
    kl_coefficient: Annotated[
        float | None, typer.Option(help="What a nat away from the base costs at the start; 0.1 if absent.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of an answer, at most; 48 if absent.")] = None,
    lora: Rank = None,
    full: Full = False,
    skip_bad_rows: options.SkipBadRows = False,
    epochs: Annotated[float | None, typer.Option(help="How often to answer each prompt; once if absent.")] = None,
    config: options.Recipe = None,
    set_: options.Set = None,
    max_steps: options.MaxSteps = None,
    max_minutes: options.MaxMinutes = None,
    budget: options.Budget = None,
    rate: options.HourlyRate = 0.0,
    resume: options.Resume = "auto",
    track: options.Track = "none",
    json: options.Json = False,
) -> None:
    """Proximal policy optimisation: write answers, have them scored by a reward model, and learn from that.

    The base is the reference that the policy is held to. RUN/model is the whole model, RUN/adapter the LoRA adapter.
    RUN/held-out.jsonl has answers of base and policy to held-out prompts, with their rewards; the means stand in
    run.yaml: beside the reward KL, length, repetition and the perplexity under the base, as a reward that is gained by
    degenerate text shows there.

    \b
    Examples:
      tuppence align ppo --base runs/instruct --reward runs/reward --data preferences.json --out runs/ppo
      tuppence align ppo --base ./gpt2 --reward runs/reward --data dolly.jsonl.gz --full --out runs/ppo-full
    """
    _one_of(lora, full)
    from tuppence.core.config import load_config
    from tuppence.tasks.ppo import PPOConfig, run_ppo

    over = options.overrides(
        set_,
        align__kl_coefficient=kl_coefficient,
        align__max_new_tokens=max_tokens,
        **_common(lora, full, epochs, max_steps),
    )
    recipe = load_config(PPOConfig, config, over)
    run = options.run_options(max_minutes, budget, rate, resume, track)
    options.train_and_tell(
        lambda: run_ppo(base, reward, data, out, recipe, run, val=val, skip_bad_rows=skip_bad_rows),
        out,
        json,
        f"tuppence chat {out}",
    )


def _one_of(lora: int | None, full: bool) -> None:
    from tuppence.core.errors import InputError
    from tuppence.core.memory import keep_freed_memory

    if full and lora is not None:
        raise InputError("--full and --lora exclude each other", "train an adapter, or every weight")
    keep_freed_memory(large_pages=False)


def _common(lora: int | None, full: bool, epochs: float | None, max_steps: int | None) -> dict[str, object]:
    """The flags that all verbs of alignment share, by their keys."""
    return {
        "align__full": True if full else None,
        "align__epochs": epochs,
        "lora__rank": lora,
        "train__max_steps": max_steps,
    }
