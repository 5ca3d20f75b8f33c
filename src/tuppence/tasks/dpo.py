"""Direct preference optimisation (chapter 8): a model learns to prefer what people prefer, without a reward model.

    loss = -log σ(β [log π(chosen) - log π_ref(chosen) - log π(rejected) + log π_ref(rejected)])

Rafailov et al. 2023 (arXiv:2305.18290), equation 7; π_ref is the model as it was, and log-probabilities are *summed*
over an answer's tokens. With label smoothing ε a share ε of the labels is taken to be wrong (conservative DPO). The
first loss is ln 2, as policy and reference agree. `run_dpo` is what `tuppence align dpo` calls.
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from tuppence.core.config import Section
from tuppence.core.console import counted, note
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, batches_by_length
from tuppence.data.records.held_out import preference_row, write_held_out
from tuppence.model.branches import branch_log_probabilities
from tuppence.model.gpt import GPT
from tuppence.model.lora import add_lora, without_lora
from tuppence.model.weights import load_model
from tuppence.storage import output_path, stage, stage_run
from tuppence.tasks.alignment import open_alignment
from tuppence.tasks.answers import Prompt, answer_samples, greedy_answers, shown_prompts
from tuppence.tasks.finetune import LoRAChoice, finetuning_flops, forward_flops
from tuppence.tasks.instruct import write_language_model
from tuppence.tasks.job import RunOptions
from tuppence.tasks.pairs import PairObjective, Pairs, PairsChoice
from tuppence.tasks.session import train
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Objective, Sample

SAY_EVERY_SECONDS = 10.0


class DPOChoice(PairsChoice):
    """The `align` section of a DPO recipe."""

    beta: float = Field(0.1, gt=0, le=100, description="how dear a distance from the reference is")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="the share of labels taken to be wrong")
    reference: Literal["auto", "precomputed", "along"] = Field(
        "auto", description="when its log-probabilities are computed: of all pairs before training, or batch by batch"
    )


class DPOConfig(Section):
    """A DPO recipe."""

    align: DPOChoice = DPOChoice()
    lora: LoRAChoice = LoRAChoice()
    train: TrainConfig = TrainConfig(
        batch_size=8, learning_rate=1e-4, warmup_steps=10, weight_decay=0.0, eval_every=50, log_every=5, beta2=0.99
    )


def dpo_losses(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """The loss of each pair, (B).

    Args:
        logps_B2, reference_B2: log-probabilities of chosen and rejected under the policy and the reference, summed
            over tokens.

    Example:
        >>> dpo_losses(torch.tensor([[-5.0, -7.0]]), torch.tensor([[-5.0, -7.0]]), beta=0.1)
        tensor([0.6931])
    """
    chosen_B, rejected_B = (logps_B2 - reference_B2).unbind(dim=1)
    margins_B = beta * (chosen_B - rejected_B)
    return -(1 - label_smoothing) * F.logsigmoid(margins_B) - label_smoothing * F.logsigmoid(-margins_B)


class Preferences(PairObjective):
    """Prefer the chosen answer more than the reference does.

    The reference's log-probabilities are a table over all pairs, made in one pass before the first step and kept in
    every checkpoint; or they are computed along with each batch. The same arithmetic makes both, and nothing is
    dropped out.

    Args:
        reference: computes along; a frozen copy of the model, or None where the model without its adapter is that.
        precompute: make the table.
    """

    metrics = (
        *("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"),
        *("logps/chosen", "logps/rejected", "entropy"),
    )

    def __init__(
        self,
        pairs: Pairs,
        prompts: Sequence[Prompt],
        tokenizer: Tokenizer,
        config: DPOConfig,
        *,
        reference: GPT | None,
        precompute: bool,
    ) -> None:
        super().__init__(pairs, config.train)
        self._prompts, self._tokenizer, self._choice = prompts, tokenizer, config.align
        self._reference, self._precompute = reference, precompute
        self._table_N2: Tensor | None = None

    def prepare(self, step: int, model: nn.Module) -> None:
        if self._precompute and self._table_N2 is None:
            self._table_N2 = self._make_table(model)  # type: ignore[arg-type]

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, branches_BT, numbers_B = batch
        logps_B2, entropies_B = branch_log_probabilities(model, tokens_BT, branches_BT)  # type: ignore[arg-type]
        if self._table_N2 is None:
            reference_B2 = self._reference_log_probabilities(model, tokens_BT, branches_BT)  # type: ignore[arg-type]
        else:
            self._table_N2 = self._table_N2.to(numbers_B.device)
            reference_B2 = self._table_N2[numbers_B.clamp(min=0)]
        choice = self._choice
        losses_B = dpo_losses(logps_B2, reference_B2, beta=choice.beta, label_smoothing=choice.label_smoothing)
        rewards_B2 = choice.beta * (logps_B2 - reference_B2).detach()
        margins_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        values = (*rewards_B2.unbind(1), margins_B, (margins_B > 0).float(), *logps_B2.unbind(1), entropies_B)
        counts_B = (numbers_B != IGNORED_TARGET).float()
        return (losses_B * counts_B).sum(), {
            name: (value_B.detach() * counts_B).sum() for name, value_B in zip(self.metrics, values, strict=True)
        }

    def samples(self, model: nn.Module) -> list[Sample]:
        limit = self._config.sample_tokens
        return answer_samples(model, self._prompts, self._tokenizer, max_tokens=limit)  # type: ignore[arg-type]

    def state(self) -> dict[str, Tensor]:
        """The table and the pairs it is of, and whether there is to be one: a run ends in the way in which it began."""
        state = {"precompute": torch.tensor(self._precompute)}
        if self._table_N2 is None:
            return state
        return {**state, "reference": self._table_N2.cpu(), "pairs": self._pairs_digest()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Of other pairs, the table is made again, where the reference can still be told from what was trained."""
        keys = tensors.keys()
        if keys not in ({"precompute"}, {"precompute", "reference", "pairs"}):
            raise ValueError("it has no reference log-probabilities")
        self._precompute, self._table_N2 = bool(tensors["precompute"]), None
        if "reference" not in keys:
            return
        if torch.equal(tensors["pairs"], self._pairs_digest()):
            self._table_N2 = tensors["reference"]
        elif self._choice.full:
            raise ValueError("its reference log-probabilities are of other pairs, and the reference is not kept")

    def _pairs_digest(self) -> Tensor:
        """sha256 of all pairs in their order, as 32 bytes."""
        digest = hashlib.sha256()
        for pair in (*self.pairs.train, *self.pairs.val):
            digest.update(pair.ids.tobytes() + pair.branches.tobytes())
        return torch.tensor(list(digest.digest()), dtype=torch.uint8)

    # ---- the reference ---------------------------------------------------------------------------------------

    @torch.no_grad()
    def _reference_log_probabilities(self, model: GPT, tokens_BT: Tensor, branches_BT: Tensor) -> Tensor:
        if self._reference is not None:
            return branch_log_probabilities(self._reference, tokens_BT, branches_BT)[0]
        with without_lora(model):
            return branch_log_probabilities(model, tokens_BT, branches_BT)[0]

    def _make_table(self, model: GPT) -> Tensor:
        """One pass over all pairs. The reference is the model without its adapter; where it has none, there was no step
        yet, and it is the model itself."""
        rows = [*self.pairs.train, *self.pairs.val]
        device = model.token_embedding.weight.device
        table_N2 = torch.zeros(len(rows), 2)
        note(f"reference log-probabilities of {counted(len(rows), 'pair')}")
        done, said = 0, time.monotonic()
        batches = batches_by_length(torch.tensor([len(row.ids) for row in rows]).numpy(), 2 * self._config.batch_size)
        for numbers in batches:
            tokens_BT, branches_BT, _ = (part.to(device) for part in self.collate([rows[number] for number in numbers]))
            found_B2 = self._reference_log_probabilities(model, tokens_BT, branches_BT)
            table_N2[torch.from_numpy(numbers)] = found_B2.cpu()
            done += len(numbers)
            if time.monotonic() - said > SAY_EVERY_SECONDS:
                note(f"reference log-probabilities: {done:,} of {len(rows):,}")
                said = time.monotonic()
        return table_N2


def run_dpo(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    config: DPOConfig,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Aligns a model with preferences, or continues to; returns run.yaml's `result`, `status` and `ended_because`.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's: the reference, and where the policy starts.
        data: a file of preferences in any format that `read_preferences` knows.
        val: held-out preferences; a part of `data` where there is none.
        skip_bad_rows: leave out rows that cannot be used, and count them, instead of refusing the file.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    base, data, out = stage_run(base), stage(data), output_path(out)
    val = None if val is None else stage(val)
    given = open_alignment(base, data, val, config, with_end=True, skip_bad_rows=skip_bad_rows)
    start, tokenizer, pairs, lora, choice = given.base, given.tokenizer, given.pairs, given.lora, config.align
    prompts = shown_prompts(pairs.held_out, tokenizer, context_length=start.config.context_length)
    precompute = choice.reference == "precomputed" or (choice.reference == "auto" and _pays(pairs, config, options))

    before: list[str] = []
    """What the base answers, where it is gone after the first step."""

    def build(device: str) -> tuple[Objective[Any], GPT]:
        model = load_model(base, device=device, dropout=0.0)
        frozen = None
        if lora is not None:
            add_lora(model, lora)
        else:
            before[:] = greedy_answers(model, prompts, tokenizer, max_tokens=config.train.sample_tokens)
            if not precompute:
                frozen = copy.deepcopy(model).requires_grad_(False)
        model.activation_checkpointing = config.train.activation_checkpointing
        return Preferences(pairs, prompts, tokenizer, config, reference=frozen, precompute=precompute), model

    def write_result(model: nn.Module) -> None:
        write_language_model(model, out, start, tokenizer, lora)  # type: ignore[arg-type]
        answers = _before_and_after(model, before, prompts, tokenizer, config)  # type: ignore[arg-type]
        rows = [preference_row(pair, answers.get(row)) for row, pair in enumerate(pairs.held_out)]
        write_held_out(Run(out), rows)

    row = {"length": pairs.mean_length, "heads": pairs.answered}
    flops = finetuning_flops(start.config, **row, frozen=lora is not None)
    flops += 0.0 if precompute else forward_flops(start.config, **row)
    job = given.job("align dpo", out, config, flops_per_token=flops, build=build, write_result=write_result)
    return train(job, options)


def _pays(pairs: Pairs, config: DPOConfig, options: RunOptions) -> bool:
    """Whether one pass over all pairs costs less than the reference of every batch; no, where that is not known."""
    train = config.train
    per_step = train.batch_size * train.accumulation_steps
    if train.max_steps is not None:
        seen = train.max_steps * per_step
    elif options.max_minutes is None and options.budget is None:
        seen = round(config.align.epochs * len(pairs.train))
    else:
        return False
    evaluations = 1 + (seen // per_step // train.eval_every if train.eval_every else 0)
    return seen + evaluations * len(pairs.val) >= len(pairs)


def _before_and_after(
    model: GPT, before: list[str], prompts: Sequence[Prompt], tokenizer: Tokenizer, config: DPOConfig
) -> dict[int, dict[str, str]]:
    """What base and policy answer to the first held-out rows, by row.

    Args:
        before: the base's answers; empty where the base is the model without its adapter.
    """
    limit = config.train.sample_tokens
    if not prompts or not limit:
        return {}
    was_training = model.training
    after = greedy_answers(model.eval(), prompts, tokenizer, max_tokens=limit)
    if not before:
        with without_lora(model):
            before = greedy_answers(model, prompts, tokenizer, max_tokens=limit)
    model.train(was_training)
    rows = [prompt.row for prompt in prompts]
    return {row: {"before": one, "after": other} for row, one, other in zip(rows, before, after, strict=True)}
