"""A reward model (chapter 8): it scores answers, and learns from pairs of which people preferred one.

    loss = -log σ(r(chosen) - r(rejected))

Bradley and Terry 1952; for language models Stiennon et al. 2020 (arXiv:2009.01325), equation 1. The score head reads
the last token of prompt and answer *before* the end of text. A finished answer then has the same score as a cut one,
and GPT2ForSequenceClassification, which takes the end of text for padding, gives the same scores.

`tuppence align reward` calls `run_reward`; `evaluation.tasks.reward` measures the result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.held_out import preference_row, write_held_out
from tuppence.evaluation.tasks.reward import LABEL
from tuppence.model.branches import ANSWERS, Branches
from tuppence.model.heads import SequenceScorer, train_only
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.saving import save_scorer
from tuppence.storage import output_path
from tuppence.tasks.finetuning import RowJob, RowObjective, RowRecipe, conversation_tokenizer, finetuning_flops
from tuppence.tasks.pairs import EncodedPair, PairsConfig, collate_pairs, count_pair_tokens, read_pairs
from tuppence.tasks.rows import RowFiles
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Objective, Sample


class RewardRecipe(RowRecipe):
    """A recipe for a reward model."""

    align: PairsConfig = PairsConfig(epochs=2.0)
    train: TrainConfig = TrainConfig(
        batch_size=8, learning_rate=5e-4, warmup_steps=10, weight_decay=0.0, eval_every=50, log_every=5, beta2=0.99
    )


def branch_rewards(model: SequenceScorer, tokens_BT: Tensor, branches_BT: Tensor) -> Tensor:
    """The rewards of chosen and rejected answers, (B, 2). Always in float32, because small differences decide.

    Args:
        tokens_BT, branches_BT: a batch of `collate_pairs`.
    """
    layout = Branches(branches_BT)
    hidden_BTD = model.gpt.hidden(tokens_BT, layout)
    rows_B1 = torch.arange(len(tokens_BT), device=tokens_BT.device)[:, None]
    last_B2D = hidden_BTD[rows_B1, layout.ends(ANSWERS)]
    with torch.autocast(tokens_BT.device.type, enabled=False):
        rewards_B2: Tensor = model.score(last_B2D.float())[..., 0]
    return rewards_B2


class Comparisons(RowObjective[EncodedPair, SequenceScorer]):
    """The Bradley-Terry loss on pairs: the chosen answer should have the higher reward."""

    metrics = ("accuracy", "margin", "mean_reward")
    collate = staticmethod(collate_pairs)
    tokens = staticmethod(count_pair_tokens)

    def loss(self, model: SequenceScorer, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, branches_BT, numbers_B = batch
        rewards_B2 = branch_rewards(model, tokens_BT, branches_BT)
        margins_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        counts_B = (numbers_B != IGNORED_TARGET).float()
        values = ((margins_B > 0).float(), margins_B.detach(), rewards_B2.detach().mean(dim=1))
        metrics = {name: (value_B * counts_B).sum() for name, value_B in zip(self.metrics, values, strict=True)}
        return (-F.logsigmoid(margins_B) * counts_B).sum(), metrics

    def samples(self, model: SequenceScorer) -> list[Sample]:
        return []  # a reward model generates no text


class RewardJob(RowJob[SequenceScorer]):
    """Trains a reward model."""

    verb = "align reward"

    def __init__(self, base: ModelInfo, files: RowFiles, out: Path, recipe: RewardRecipe) -> None:
        align = recipe.align
        lora = None if align.full else recipe.lora.resolve()
        self.tokenizer = conversation_tokenizer(base)
        self.pairs = read_pairs(
            files,
            self.tokenizer,
            context_length=base.config.context_length,
            val_fraction=align.val_fraction,
            seed=recipe.train.seed,
            with_end=False,
        )
        lengths = self.pairs.lengths
        super().__init__(
            base,
            files.paths,
            out,
            recipe,
            rows=self.pairs.trained,
            lengths=lengths,
            epochs=align.epochs,
            lora=lora,
            flops_per_token=finetuning_flops(base.config, lengths, logits_share=0.0, frozen=lora is not None),
        )

    def build(self, device: str) -> tuple[Objective[SequenceScorer], SequenceScorer]:
        model = SequenceScorer(self.load_base(device), 1)
        train_only(model, "all" if self.lora is None else "lora", self.lora)
        return Comparisons(self.pairs.train, self.pairs.val, self.train), model

    def write_result(self, model: SequenceScorer) -> None:
        run = Run(self.out)
        save_scorer(model, run.model, labels=[LABEL], tokenizer=self.tokenizer)
        self.write_adapter(model.gpt, model.score)
        write_held_out(run, map(preference_row, self.pairs.held_out))


def run_reward(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    config: RewardRecipe,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Trains a reward model, or continues such a run.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's folder; usually the model that will be aligned.
        data: a file of preferences in any format that `read_preferences` knows.
        val: a file of held-out preferences; None: a part of `data` is held out.
        skip_bad_rows: leave out and count rows that cannot be used, instead of refusing the file.

    Returns:
        `status`, `ended_because` and `result` of run.yaml; {} on ranks other than 0.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    files = RowFiles.staged(data, val, skip_bad_rows=skip_bad_rows)
    return train(RewardJob(inspect(base, head="lm"), files, output_path(out), config), options)
