"""What `reward` and `dpo` begin with, whatever they learn: a base, its tokenizer, pairs of answers, and an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.lora import LoRA
from tuppence.tasks.finetune import LoRAChoice, base_inputs, conversation_tokenizer, rows_input
from tuppence.tasks.job import Job
from tuppence.tasks.pairs import Pairs, PairsChoice, read_pairs
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig


class PairsConfig(Protocol):
    """A recipe that learns from preferences."""

    @property
    def align(self) -> PairsChoice: ...
    @property
    def lora(self) -> LoRAChoice: ...
    @property
    def train(self) -> TrainConfig: ...


@dataclass(frozen=True)
class Alignment:
    """A base and pairs, opened.

    Attributes:
        base: where the model starts from.
        tokenizer: the base's, with a chat template.
        pairs: what is learned from.
        lora: the adapter that is trained; None: every weight.
        inputs: for run.yaml.
    """

    base: ModelInfo
    tokenizer: Tokenizer
    pairs: Pairs
    lora: LoRA | None
    inputs: Mapping[str, Mapping[str, Any]]

    def job(self, verb: str, out: Path, config: PairsConfig, **rest: Any) -> Job:
        """The run as `session.train` takes it; `rest` is what only the task knows: `build`, `write_result`, FLOPs."""
        choice, pairs = config.align, self.pairs
        per_step = config.train.batch_size * config.train.accumulation_steps
        return Job(
            verb=verb,
            out=out,
            train=config.train,
            settings={"align": choice.model_dump(), "lora": config.lora.model_dump(mode="json")},
            inputs=self.inputs,
            tokens_per_step=round(per_step * pairs.mean_length),
            default_steps=lambda ranks: max(1, round(choice.epochs * len(pairs.train) / (per_step * ranks))),
            rows=pairs.trained,
            compile=False,  # every batch has another length
            **rest,
        )


def open_alignment(
    base: Path, data: Path, val: Path | None, config: PairsConfig, *, with_end: bool, skip_bad_rows: bool
) -> Alignment:
    """Opens the base and reads the pairs.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's.
        data, val, with_end, skip_bad_rows: as in `read_pairs`.

    Raises:
        InputError: there is no model, or no pair to learn from.
    """
    start = inspect(base, head="lm")
    tokenizer = conversation_tokenizer(start)
    pairs = read_pairs(
        data,
        val,
        tokenizer,
        context_length=start.config.context_length,
        val_fraction=config.align.val_fraction,
        seed=config.train.seed,
        with_end=with_end,
        skip_bad_rows=skip_bad_rows,
    )
    lora = None if config.align.full else config.lora.resolve()
    inputs = {**base_inputs(start), "data": rows_input([data] if val is None else [data, val], len(pairs.train))}
    return Alignment(start, tokenizer, pairs, lora, inputs)
