"""A reward model (chapter 8): one number for an answer, learned from which of two answers people liked better.

    loss = -log σ(r(chosen) - r(rejected))

Bradley and Terry 1952; for language models Stiennon et al. 2020 (arXiv:2009.01325), equation 1. The reward is read off
the last token of prompt and answer, *before* the end of text: an answer scores the same whether it was ended or cut,
and GPT2ForSequenceClassification, which takes the end of text for padding, agrees. `run_reward` is what
`tuppence align reward` calls; `evaluation.reward` measures the result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.core.config import Section
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.held_out import preference_row, write_held_out
from tuppence.evaluation.tasks.reward import LABEL
from tuppence.model.branches import Branches
from tuppence.model.heads import SequenceScorer, train_only
from tuppence.model.weights import load_model, save_scorer
from tuppence.storage import output_path, stage, stage_run
from tuppence.tasks.alignment import open_alignment
from tuppence.tasks.finetune import LoRAChoice, finetuning_flops, write_adapter
from tuppence.tasks.job import RunOptions
from tuppence.tasks.pairs import PairObjective, PairsChoice
from tuppence.tasks.session import train
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Objective, Sample


class RewardConfig(Section):
    """A recipe for a reward model."""

    align: PairsChoice = PairsChoice(epochs=2.0)
    lora: LoRAChoice = LoRAChoice()
    train: TrainConfig = TrainConfig(
        batch_size=8, learning_rate=5e-4, warmup_steps=10, weight_decay=0.0, eval_every=50, log_every=5, beta2=0.99
    )


def branch_rewards(model: SequenceScorer, tokens_BT: Tensor, branches_BT: Tensor) -> Tensor:
    """The rewards of chosen and rejected, (B, 2), in float32 whatever the precision: small differences decide.

    Args:
        tokens_BT, branches_BT: rows as in `model.branches`, with prompt, chosen and rejected.
    """
    layout = Branches(branches_BT)
    hidden_BTD = model.gpt.hidden(tokens_BT, layout)
    rows_B1 = torch.arange(len(tokens_BT), device=tokens_BT.device)[:, None]
    last_B2D = hidden_BTD[rows_B1, layout.ends((1, 2))]
    with torch.autocast(tokens_BT.device.type, enabled=False):
        rewards_B2: Tensor = model.score(last_B2D.float())[..., 0]
    return rewards_B2


class Comparisons(PairObjective):
    """Give the chosen answer the higher reward."""

    metrics = ("accuracy", "margin", "mean_reward")

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, branches_BT, numbers_B = batch
        rewards_B2 = branch_rewards(model, tokens_BT, branches_BT)  # type: ignore[arg-type]
        margins_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        counts_B = (numbers_B != IGNORED_TARGET).float()
        values = ((margins_B > 0).float(), margins_B.detach(), rewards_B2.detach().mean(dim=1))
        metrics = {name: (value_B * counts_B).sum() for name, value_B in zip(self.metrics, values, strict=True)}
        return (-F.logsigmoid(margins_B) * counts_B).sum(), metrics

    def samples(self, model: nn.Module) -> list[Sample]:
        return []  # a reward model writes nothing


def run_reward(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    config: RewardConfig,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Trains a reward model, or continues to; returns run.yaml's `result`, `status` and `ended_because`.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's: mostly the model that is to be aligned.
        data: a file of preferences in any format that `read_preferences` knows.
        val: held-out preferences; a part of `data` where there is none.
        skip_bad_rows: leave out rows that cannot be used, and count them, instead of refusing the file.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    base, data, out = stage_run(base), stage(data), output_path(out)
    val = None if val is None else stage(val)
    given = open_alignment(base, data, val, config, with_end=False, skip_bad_rows=skip_bad_rows)
    start, pairs, lora = given.base, given.pairs, given.lora

    def build(device: str) -> tuple[Objective[Any], SequenceScorer]:
        gpt = load_model(base, device=device, dropout=0.0)
        gpt.activation_checkpointing = config.train.activation_checkpointing
        model = SequenceScorer(gpt, 1)
        train_only(model, "all" if lora is None else "lora", lora)
        return Comparisons(pairs, config.train), model

    def write_result(model: nn.Module) -> None:
        scorer: SequenceScorer = model  # type: ignore[assignment]
        save_scorer(scorer, Run(out).model, labels=[LABEL], tokenizer=given.tokenizer)
        if lora is not None:
            write_adapter(scorer.gpt, out, start, lora, scorer.score)
        write_held_out(Run(out), map(preference_row, pairs.held_out))

    flops = finetuning_flops(start.config, length=pairs.mean_length, heads=0.0, frozen=lora is not None)
    job = given.job("align reward", out, config, flops_per_token=flops, build=build, write_result=write_result)
    return train(job, options)
