"""`tuppence align …`: trains a model on what people prefer: reward model, DPO and PPO."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.places import InputFile, InputRun, add_verb
from tuppence.cli.training import AdapterFlags, Base, FinetuneFlags, training_verb

Preferences = Annotated[
    InputFile, typer.Option(help="Preference pairs: rows with prompt (or instruction), chosen, rejected; or HH-RLHF.")
]
HeldOut = Annotated[InputFile | None, typer.Option("--val", help="Held-out pairs; by default a tenth of --data.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    align = typer.Typer(help="Train a model on what people prefer.", no_args_is_help=True)
    for verb in (reward, dpo, ppo):
        add_verb(align, verb)
    app.add_typer(align, name="align")


@training_verb
def reward(base: Base, data: Preferences, adapter: AdapterFlags, training: FinetuneFlags, val: HeldOut = None) -> None:
    """Train a reward model, which scores answers: higher for answers that people prefer.

    RUN/model opens in transformers as GPT2ForSequenceClassification with one label. 'tuppence evaluate RUN' measures it
    on its held-out pairs, and 'tuppence align ppo' trains a model with it.

    \b
    Examples:
      tuppence align reward --base runs/instruct --data preferences.json --out runs/reward
      tuppence align reward --base ./gpt2 --data hh-rlhf.jsonl.gz --full --epochs 1 --out runs/reward
    """
    from tuppence.tasks.reward import RewardRecipe, run_reward

    recipe, out, skip = (
        training.recipe(RewardRecipe, **_shared(adapter, training)),
        training.out,
        training.skip_bad_rows,
    )
    summary = run_reward(base, data, out, recipe, training.options(), val=val, skip_bad_rows=skip)
    training.tell(summary, f"tuppence evaluate {out}")


@training_verb
def dpo(
    base: Base,
    data: Preferences,
    adapter: AdapterFlags,
    training: FinetuneFlags,
    val: HeldOut = None,
    beta: Annotated[
        float | None, typer.Option(help="Strength of the KL constraint to the base; 0.1 by default.")
    ] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Assumed share of wrong labels; 0 by default.")] = None,
) -> None:
    """Direct preference optimisation: train a model to prefer the chosen answers, without a reward model.

    The base is the reference model. RUN/model is the whole model, RUN/adapter the LoRA adapter, and RUN/held-out.jsonl
    has the held-out pairs, with answers of the model before and after training.

    \b
    Examples:
      tuppence align dpo --base runs/instruct --data preferences.json --out runs/dpo
      tuppence align dpo --base runs/instruct --data preferences.json --beta 0.3 --full --out runs/dpo-full
    """
    from tuppence.tasks.dpo import DPORecipe, run_dpo

    recipe = training.recipe(
        DPORecipe, align__beta=beta, align__label_smoothing=label_smoothing, **_shared(adapter, training)
    )
    out, skip = training.out, training.skip_bad_rows
    summary = run_dpo(base, data, out, recipe, training.options(), val=val, skip_bad_rows=skip)
    training.tell(summary, f"tuppence chat {out}")


@training_verb
def ppo(
    base: Base,
    reward: Annotated[InputRun, typer.Option(help="Reward model: a run of 'tuppence align reward'.")],
    data: Annotated[InputFile, typer.Option(help="Prompts: the prompts of preference pairs or instructions.")],
    adapter: AdapterFlags,
    training: FinetuneFlags,
    val: Annotated[InputFile | None, typer.Option(help="Held-out prompts; by default a tenth of --data.")] = None,
    kl_coefficient: Annotated[
        float | None, typer.Option(help="Strength of the KL penalty toward the base at the start; 0.1 by default.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer, in tokens; 48 by default.")] = None,
) -> None:
    """Proximal policy optimisation: generate answers, score them with a reward model, and train on the scores.

    The base is the reference model of the KL penalty. RUN/model is the whole model, RUN/adapter the LoRA adapter.
    RUN/held-out.jsonl has the answers of base and policy to held-out prompts, with their rewards. run.yaml has the
    means of reward, KL, length, repetition and perplexity under the base, which show whether degenerate text got the
    reward.

    \b
    Examples:
      tuppence align ppo --base runs/instruct --reward runs/reward --data preferences.json --out runs/ppo
      tuppence align ppo --base ./gpt2 --reward runs/reward --data dolly.jsonl.gz --full --out runs/ppo-full
    """
    from tuppence.tasks.ppo import PPORecipe, run_ppo

    recipe = training.recipe(
        PPORecipe,
        align__kl_coefficient=kl_coefficient,
        align__max_new_tokens=max_tokens,
        **_shared(adapter, training),
    )
    out, skip = training.out, training.skip_bad_rows
    summary = run_ppo(base, reward, data, out, recipe, training.options(), val=val, skip_bad_rows=skip)
    training.tell(summary, f"tuppence chat {out}")


def _shared(adapter: AdapterFlags, training: FinetuneFlags) -> dict[str, object]:
    """Returns the flags that all verbs of this file share, by the keys of the recipe."""
    return {"align__full": adapter.full or None, "align__epochs": training.epochs, "lora__rank": adapter.lora}
