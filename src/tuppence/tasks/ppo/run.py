"""`run_ppo`: what `tuppence align ppo` calls. From a base, a reward model and prompts to a run."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch.distributed
from torch import nn

from tuppence.core.errors import InputError
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel, ModelInfo, inspect, load
from tuppence.model.lora import add_lora
from tuppence.model.weights import load_model
from tuppence.storage import location_of, output_path, stage, stage_run
from tuppence.tasks.finetune import base_inputs, conversation_tokenizer, finetuning_flops, rows_input
from tuppence.tasks.instruct import write_language_model
from tuppence.tasks.job import Job, RunOptions
from tuppence.tasks.ppo.answers import Writing
from tuppence.tasks.ppo.config import PPOConfig
from tuppence.tasks.ppo.held_out import Judges, compare
from tuppence.tasks.ppo.objective import PPO
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tasks.ppo.prompts import read_prompts
from tuppence.tasks.session import train
from tuppence.training.objective import Objective


def run_ppo(
    base: str | Path,
    reward: str | Path,
    data: str | Path,
    out: str | Path,
    config: PPOConfig,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Trains a policy on a reward model's scores, or continues to; returns run.yaml's `result`, `status` and
    `ended_because`, and `held_out`: what base and policy answer to held-out prompts, in numbers.

    Args:
        base: what the policy starts from and is held to: a run, a Hugging Face GPT-2 folder, or an adapter's.
        reward: a run of `tuppence align reward`, or a GPT2ForSequenceClassification folder with one score.
        data: preferences or instructions; only their prompts are used.
        val: a file with held-out prompts; a part of `data` where there is none.
        skip_bad_rows: leave out rows that cannot be used, and count them, instead of refusing the file.

    Raises:
        InputError: base, reward model, data, recipe and run folder do not fit together.
        NonFiniteError: the reward model gave NaN or infinity; the last good checkpoint stands.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    base, reward, data, out = stage_run(base), stage_run(reward), stage(data), output_path(out)
    val = None if val is None else stage(val)
    start, choice = inspect(base, head="lm"), config.align
    judge = _open_reward(reward, start)
    scorer = judge.model
    if config.lora.dropout and not choice.full:
        raise InputError("lora.dropout is above 0, and PPO compares a policy with itself", "leave lora.dropout at 0")
    context = start.config.context_length
    if choice.max_new_tokens >= context:
        raise InputError(
            f"align.max_new_tokens is {choice.max_new_tokens:,}, and the model's context {context:,}",
            "leave room for a prompt: --set align.max_new_tokens=N",
        )
    tokenizer = conversation_tokenizer(start)
    prompts = read_prompts(
        data,
        val,
        tokenizer,
        room=context - choice.max_new_tokens,
        val_fraction=choice.val_fraction,
        eval_prompts=choice.eval_prompts,
        seed=config.train.seed,
        skip_bad_rows=skip_bad_rows,
    )
    writing = Writing(choice.max_new_tokens, choice.temperature, tokenizer)
    lora = None if choice.full else config.lora.resolve()

    def build(device: str) -> tuple[Objective[Any], PolicyWithValue]:
        # no dropout: a ratio of probabilities must be the update's doing
        gpt = load_model(base, device=device, dropout=0.0)
        frozen: GPT | None = None
        if lora is None:
            frozen = copy.deepcopy(gpt).requires_grad_(False)
            gpt.train()
        else:
            add_lora(gpt, lora)
        gpt.activation_checkpointing = config.train.activation_checkpointing
        ranks = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
        scorer.to(device)
        return PPO(prompts.train, prompts.val, scorer, frozen, writing, config, ranks), PolicyWithValue(gpt)

    def write_result(model: nn.Module) -> None:
        assert isinstance(model, PolicyWithValue)
        write_language_model(model.gpt, out, start, tokenizer, lora)

    def measure() -> dict[str, Any]:
        judges = Judges(base=base, reward=scorer, writing=writing, batch_size=2 * config.train.batch_size)
        return {"held_out": compare(out, judges, prompts.val, seed=config.train.seed)}

    per_step = config.train.batch_size * config.train.accumulation_steps
    tokens_per_row = sum(map(len, prompts.train)) / len(prompts.train) + choice.max_new_tokens
    job = Job(
        verb="align ppo",
        out=out,
        train=config.train,
        settings={"align": choice.model_dump(), "lora": config.lora.model_dump(mode="json")},
        inputs={
            **base_inputs(start),
            "reward": {"path": location_of(reward), "fingerprint": judge.fingerprint},
            "data": rows_input([data] if val is None else [data, val], len(prompts.train)),
        },
        tokens_per_step=round(per_step * tokens_per_row),
        default_steps=lambda ranks: _steps(len(prompts.train), per_step * ranks, config),
        flops_per_token=finetuning_flops(
            start.config,
            length=tokens_per_row,
            heads=choice.max_new_tokens / tokens_per_row,
            frozen=lora is not None,
        ),
        build=build,
        write_result=write_result,
        measure=measure,
        rows=prompts.rows,
        closing=2.0,  # the base's answers and the policy's
        example=f"tuppence chat {out}",
        compile=False,  # every batch has another length
    )
    return train(job, options)


def _open_reward(folder: Path, base: ModelInfo) -> LoadedModel[SequenceScorer]:
    """The reward model, frozen.

    Raises:
        InputError: it is none, or reads other tokens than the policy writes.
    """
    reward = load(folder, "cpu", "float32", head="scores")
    if len(reward.labels) != 1:
        raise InputError(
            f"{folder} gives {len(reward.labels)} scores, and a reward is one", "give a run of 'tuppence align reward'"
        )
    if reward.tokenizer.fingerprint != base.tokenizer.fingerprint:
        raise InputError(
            f"the reward model {folder} has another tokenizer than the base {base.folder}",
            "train the reward model from the same base: tuppence align reward --base …",
        )
    reward.model.requires_grad_(False)
    return reward


def _steps(prompts: int, global_batch: int, config: PPOConfig) -> int:
    """The updates in which every prompt has been answered `align.epochs` times."""
    choice = config.align
    rollouts = max(1, round(choice.epochs * prompts / choice.rollout_prompts))
    return rollouts * choice.rollout_epochs * -(-choice.rollout_prompts // global_batch)
