"""Direct preference optimisation (chapter 8): alignment with preferences, without a reward model.

    loss = -log σ(β [log π(chosen) - log π_ref(chosen) - log π(rejected) + log π_ref(rejected)])

Rafailov et al. 2023 (arXiv:2305.18290), equation 7. π_ref is the model before training. Log-probabilities are *summed*
over the tokens of an answer. Label smoothing assumes that a share ε of the labels is wrong (conservative DPO). The
first loss is ln 2, because policy and reference are equal.

`tuppence align dpo` calls `run_dpo`. Read on in `pairs` (the rows), `reference` (π_ref), `finetuning` (shared by all
finetunes) and `session` (the run).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from tuppence.core.console import note
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.held_out import preference_row, write_held_out
from tuppence.model.branches import branch_log_probabilities
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.lora import add_lora, frozen_copy
from tuppence.model.saving import save_model
from tuppence.storage import output_path
from tuppence.tasks.answers import BaseAnswers, Prompt, answer_samples, greedy_answers, shown_prompts
from tuppence.tasks.finetuning import (
    RowJob,
    RowObjective,
    RowRecipe,
    conversation_tokenizer,
    finetuning_flops,
    forward_flops,
)
from tuppence.tasks.pairs import EncodedPair, Pairs, PairsConfig, collate_pairs, count_pair_tokens, read_pairs
from tuppence.tasks.reference import Reference
from tuppence.tasks.rows import RowFiles
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import world_size
from tuppence.training.objective import Objective, Sample


class DPOConfig(PairsConfig):
    """The `align` section of a DPO recipe."""

    beta: float = Field(0.1, gt=0, le=100, description="strength of the KL constraint to the reference")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="share of labels assumed to be wrong")
    reference: Literal["auto", "precomputed", "online"] = Field(
        "auto", description="when its log-probabilities are computed: for all pairs before training, or for each batch"
    )

    @field_validator("reference", mode="before")
    @classmethod
    def _former_value(cls, value: Any) -> Any:
        if value != "along":
            return value
        note("align.reference=along is now called online; the old name still works")
        return "online"

    @classmethod
    def from_earlier(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        found = super().from_earlier(values)
        return {**found, "reference": "online"} if found.get("reference") == "along" else found


class DPORecipe(RowRecipe):
    """A DPO recipe."""

    align: DPOConfig = DPOConfig()
    train: TrainConfig = TrainConfig(
        batch_size=8, learning_rate=1e-4, warmup_steps=10, weight_decay=0.0, eval_every=50, log_every=5, beta2=0.99
    )


def dpo_losses(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """The loss of each pair, (B,).

    Args:
        logps_B2, reference_B2: log-probabilities of chosen and rejected answers, summed over tokens, under the policy
            and under the reference.
        beta: strength of the KL constraint to the reference.
        label_smoothing: share of labels assumed to be wrong.

    Example:
        >>> import torch
        >>> dpo_losses(torch.tensor([[-5.0, -7.0]]), torch.tensor([[-5.0, -7.0]]), beta=0.1)
        tensor([0.6931])
    """
    chosen_B, rejected_B = (logps_B2 - reference_B2).unbind(dim=1)
    margins_B = beta * (chosen_B - rejected_B)
    return -(1 - label_smoothing) * F.logsigmoid(margins_B) - label_smoothing * F.logsigmoid(-margins_B)


class Preferences(RowObjective[EncodedPair, GPT]):
    """The DPO loss on pairs.

    Args:
        pairs: training and held-out pairs.
        reference: the log-probabilities of the pairs before training.
        prompts, tokenizer: held-out prompts; the answers to them are logged as samples.
        base_answers: the answers of the base, computed before the first step; None computes none.
    """

    metrics = (
        *("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"),
        *("logps/chosen", "logps/rejected", "entropy"),
    )
    collate = staticmethod(collate_pairs)
    tokens = staticmethod(count_pair_tokens)

    def __init__(
        self,
        pairs: Pairs,
        reference: Reference,
        recipe: DPORecipe,
        *,
        prompts: Sequence[Prompt] = (),
        tokenizer: Tokenizer | None = None,
        base_answers: BaseAnswers | None = None,
    ) -> None:
        super().__init__(pairs.train, pairs.val, recipe.train)
        self._base_answers = base_answers
        self._reference, self._align = reference, recipe.align
        self._prompts, self._tokenizer = prompts, tokenizer

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, branches_BT, numbers_B = batch
        logps_B2, entropies_B = branch_log_probabilities(model, tokens_BT, branches_BT)
        reference_B2 = self._reference.log_probabilities(tokens_BT, branches_BT, numbers_B)
        beta = self._align.beta
        losses_B = dpo_losses(logps_B2, reference_B2, beta=beta, label_smoothing=self._align.label_smoothing)
        rewards_B2 = beta * (logps_B2 - reference_B2).detach()
        margins_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        values = (*rewards_B2.unbind(1), margins_B, (margins_B > 0).float(), *logps_B2.unbind(1), entropies_B)
        counts_B = (numbers_B != IGNORED_TARGET).float()
        return (losses_B * counts_B).sum(), {
            name: (value_B.detach() * counts_B).sum() for name, value_B in zip(self.metrics, values, strict=True)
        }

    def samples(self, model: GPT) -> list[Sample]:
        if self._tokenizer is None:
            return []
        return answer_samples(model, self._prompts, self._tokenizer, max_tokens=self._config.sample_tokens)

    def prepare(self, step: int, model: GPT) -> None:
        self._reference.prepare(model, 2 * self._config.batch_size)
        if self._base_answers is not None and self._base_answers.texts is None:
            self._base_answers.compute(self._reference.model_at(step, model))

    def state(self) -> dict[str, Tensor]:
        answers = {} if self._base_answers is None else self._base_answers.state()
        return {**self._reference.state(), **answers}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        self._reference.load_state({name: value for name, value in tensors.items() if name != "base_answers"})
        if self._base_answers is not None:
            self._base_answers.load_state(tensors)


class DPOJob(RowJob[GPT]):
    """Aligns a model with preferences.

    Attributes:
        precompute: whether the log-probabilities of the reference are computed for all pairs before training.
    """

    verb = "align dpo"
    scales = False

    def __init__(self, base: ModelInfo, files: RowFiles, out: Path, recipe: DPORecipe, options: RunOptions) -> None:
        align, context_length = recipe.align, base.config.context_length
        lora = None if align.full else recipe.lora.resolve()
        self._recipe, self.tokenizer = recipe, conversation_tokenizer(base)
        self.pairs = read_pairs(
            files,
            self.tokenizer,
            context_length=context_length,
            val_fraction=align.val_fraction,
            seed=recipe.train.seed,
            with_end=True,
        )
        self._prompts = shown_prompts(self.pairs.held_out, self.tokenizer, context_length=context_length)
        self._base_answers = BaseAnswers(self._prompts, self.tokenizer, recipe.train.sample_tokens)
        self.precompute = align.reference == "precomputed" or (
            align.reference == "auto" and _pays(self.pairs, recipe, options)
        )
        lengths, answered = self.pairs.lengths, self.pairs.answered
        flops = finetuning_flops(base.config, lengths, logits_share=answered, frozen=lora is not None)
        if not self.precompute:
            flops += forward_flops(base.config, lengths, logits_share=answered)
        super().__init__(
            base,
            files.paths,
            out,
            recipe,
            rows=self.pairs.trained,
            lengths=lengths,
            epochs=align.epochs,
            lora=lora,
            flops_per_token=flops,
        )

    def build(self, device: str) -> tuple[Objective[GPT], GPT]:
        model = self.load_base(device)
        before = None
        if self.lora is not None or not self.precompute:
            before = frozen_copy(model, shared=self.lora is not None)
        if self.lora is not None:
            add_lora(model, self.lora)
        reference = Reference(
            self.pairs, before, precompute=self.precompute, reload=lambda: self.load_base(device).requires_grad_(False)
        )
        objective = Preferences(
            self.pairs,
            reference,
            self._recipe,
            prompts=self._prompts,
            tokenizer=self.tokenizer,
            base_answers=self._base_answers,
        )
        return objective, model

    def write_result(self, model: GPT) -> None:
        run = Run(self.out)
        save_model(model, run.model, tokenizer=self.tokenizer)
        self.write_adapter(model)
        answers = self._before_and_after(model)
        write_held_out(run, [preference_row(pair, answers.get(row)) for row, pair in enumerate(self.pairs.held_out)])

    def _before_and_after(self, model: GPT) -> dict[int, dict[str, str]]:
        """The answers of base and policy to the first held-out prompts, by row."""
        if not self._prompts or not self.train.sample_tokens:
            return {}
        before = self._base_answers.texts
        if before is None:  # no step was made here
            before = self._base_answers.compute(self.load_base(str(model.token_embedding.weight.device)))
        after = greedy_answers(model, self._prompts, self.tokenizer, max_tokens=self.train.sample_tokens)
        found = zip(self._prompts, before, after, strict=True)
        return {prompt.row: {"before": one, "after": other} for prompt, one, other in found}


def run_dpo(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    config: DPORecipe,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Aligns a model with preferences, or continues such a run.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's folder. The policy starts from it, and it is the
            reference.
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
    return train(DPOJob(inspect(base, head="lm"), files, output_path(out), config, options), options)


def _pays(pairs: Pairs, config: DPORecipe, options: RunOptions) -> bool:
    """Whether precomputing costs a rank less than computing each batch; False if the number of steps is unknown.

    Every rank precomputes all pairs. Training and held-out batches are divided among the ranks.
    """
    train, ranks = config.train, world_size()
    per_step = train.batch_size * train.accumulation_steps
    if train.max_steps is not None:
        seen = train.max_steps * per_step
    elif options.max_minutes is None and options.budget_usd is None:
        seen = round(config.align.epochs * len(pairs.train) / ranks)
    else:
        return False
    evaluations = 1 + (seen // per_step // train.eval_every if train.eval_every else 0)
    return seen + evaluations * len(pairs.val) / ranks >= len(pairs)
