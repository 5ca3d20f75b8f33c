"""`tuppence align …`: a model that answers learns what people prefer."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.places import InputFile, InputRun, add_verb
from tuppence.cli.training import AdapterFlags, FinetuneFlags, training_verb

Preferences = Annotated[InputFile, typer.Option(help="Pairs: prompt (or instruction), chosen, rejected; or HH-RLHF's.")]
HeldOut = Annotated[InputFile | None, typer.Option("--val", help="Held-out pairs; a tenth of --data if absent.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    align = typer.Typer(help="Teach a model what people prefer.", no_args_is_help=True)
    for verb in (reward, dpo, ppo):
        add_verb(align, verb)
    app.add_typer(align, name="align")


@training_verb
def reward(data: Preferences, adapter: AdapterFlags, training: FinetuneFlags, val: HeldOut = None) -> None:
    """Train a reward model: a number for each answer, higher for the one that people like better.

    RUN/model opens as GPT2ForSequenceClassification with one label. 'tuppence evaluate RUN' measures it on its held-out
    pairs, 'tuppence align ppo' trains against it.

    \b
    Examples:
      tuppence align reward --base runs/instruct --data preferences.json --out runs/reward
      tuppence align reward --base ./gpt2 --data hh-rlhf.jsonl.gz --full --epochs 1 --out runs/reward
    """
    _keep_freed_memory()
    from tuppence.tasks.reward import RewardRecipe, run_reward

    recipe, options = training.recipe(RewardRecipe, **_shared(adapter, training)), training.options()
    base, out, skip = training.base, training.out, training.skip_bad_rows
    training.carry_out(
        lambda: run_reward(base, data, out, recipe, options, val=val, skip_bad_rows=skip), f"tuppence evaluate {out}"
    )


@training_verb
def dpo(
    data: Preferences,
    adapter: AdapterFlags,
    training: FinetuneFlags,
    val: HeldOut = None,
    beta: Annotated[
        float | None, typer.Option(help="Strength of the KL constraint to the base; 0.1 if absent.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="The share of labels taken to be wrong; 0 if absent.")
    ] = None,
) -> None:
    """Direct preference optimisation: learn to prefer the chosen answers, with no reward model.

    The base is the reference: with an adapter it is the model without it. RUN/model is the whole model, RUN/adapter the
    LoRA adapter, and RUN/held-out.jsonl what was held out, with answers before and after.

    \b
    Examples:
      tuppence align dpo --base runs/instruct --data preferences.json --out runs/dpo
      tuppence align dpo --base runs/instruct --data preferences.json --beta 0.3 --full --out runs/dpo-full
    """
    _keep_freed_memory()
    from tuppence.tasks.dpo import DPORecipe, run_dpo

    recipe = training.recipe(
        DPORecipe, align__beta=beta, align__label_smoothing=label_smoothing, **_shared(adapter, training)
    )
    options, base, out, skip = training.options(), training.base, training.out, training.skip_bad_rows
    training.carry_out(
        lambda: run_dpo(base, data, out, recipe, options, val=val, skip_bad_rows=skip), f"tuppence chat {out}"
    )


@training_verb
def ppo(
    reward: Annotated[InputRun, typer.Option(help="A run of 'tuppence align reward'.")],
    data: Annotated[
        InputFile, typer.Option(help="Prompts: those of preferences or instructions, in any format we read.")
    ],
    adapter: AdapterFlags,
    training: FinetuneFlags,
    val: Annotated[InputFile | None, typer.Option(help="Held-out prompts; a tenth of --data if absent.")] = None,
    kl_coefficient: Annotated[
        float | None, typer.Option(help="What a nat away from the base costs at the start; 0.1 if absent.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of an answer, at most; 48 if absent.")] = None,
) -> None:
    """Proximal policy optimisation: write answers, have them scored by a reward model, and learn from that.

    The base is the reference that the policy is held to. RUN/model is the whole model, RUN/adapter the LoRA adapter.
    RUN/held-out.jsonl has answers of base and policy to held-out prompts, with their rewards. run.yaml
    has the means, and beside the reward KL, length, repetition and the perplexity under the base: they show whether the
    reward was gained by degenerate text.

    \b
    Examples:
      tuppence align ppo --base runs/instruct --reward runs/reward --data preferences.json --out runs/ppo
      tuppence align ppo --base ./gpt2 --reward runs/reward --data dolly.jsonl.gz --full --out runs/ppo-full
    """
    _keep_freed_memory()
    from tuppence.tasks.ppo import PPORecipe, run_ppo

    recipe = training.recipe(
        PPORecipe,
        align__kl_coefficient=kl_coefficient,
        align__max_new_tokens=max_tokens,
        **_shared(adapter, training),
    )
    options, base, out, skip = training.options(), training.base, training.out, training.skip_bad_rows
    training.carry_out(
        lambda: run_ppo(base, reward, data, out, recipe, options, val=val, skip_bad_rows=skip), f"tuppence chat {out}"
    )


def _keep_freed_memory() -> None:
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory(large_pages=False)


def _shared(adapter: AdapterFlags, training: FinetuneFlags) -> dict[str, object]:
    """The flags that all verbs of alignment share, by their keys."""
    return {"align__full": adapter.full or None, "align__epochs": training.epochs, "lora__rank": adapter.lora}
