"""What every finetune repeats: it starts from a trained model and learns from rows, all of them held in memory.

Used by `classify`, `instruct`, `reward`, `dpo` and `ppo`. Pretraining reads one stream of tokens instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuppence.core.config import Section
from tuppence.core.console import note, warn
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.weights import load_model
from tuppence.storage import location_of
from tuppence.tasks.adapter import LoRAConfig
from tuppence.tasks.flops import finetuning_flops
from tuppence.tasks.job import Job
from tuppence.tasks.rows import rows_input
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Model


class RowRecipe(Section):
    """The sections that every recipe of a finetune has."""

    lora: LoRAConfig = LoRAConfig()
    train: TrainConfig


class RowJob(Job[Model]):
    """A run that finetunes a base on rows.

    Subclasses call `set_rows` in their constructor.

    Args:
        epochs: how often to see the rows, where no other limit ends the run.
        adapter: train a LoRA adapter, and not the base's weights.

    Attributes:
        base: the model it starts from; its weights are not read yet.
        lora: the adapter that is trained; None: no adapter.
        mean_length: tokens of a row.
        logits_share: the share of the tokens for which logits are computed.
    """

    compiles = False

    def __init__(
        self, base: Path, out: Path, data: Sequence[Path], recipe: RowRecipe, *, epochs: float, adapter: bool
    ) -> None:
        self.out, self.train = out, recipe.train
        self.settings = {name: getattr(recipe, name) for name in type(recipe).model_fields if name != "train"}
        self.base = inspect(base, head="lm")
        self.lora = recipe.lora.resolve() if adapter else None
        self._data, self._epochs = data, epochs

    def set_rows(self, rows: Sequence[object], lengths: Sequence[int], *, logits_share: float = 0.0) -> None:
        """Sets what is counted over the rows.

        Args:
            rows: those that are trained on.
            lengths: of each encoded row, in tokens.
            logits_share: the share of the tokens for which logits are computed; 0 where a score takes their place.
        """
        self.rows, self._count = rows, len(lengths)
        self.mean_length, self.logits_share = sum(lengths) / len(lengths), logits_share
        self.tokens_per_step = round(self.sequences_per_step * self.mean_length)
        self.inputs: Mapping[str, Mapping[str, Any]] = {
            **base_inputs(self.base),
            "data": rows_input(self._data, len(rows)),
        }
        self.flops_per_token = self.count_flops()

    @property
    def sequences_per_step(self) -> int:
        """Rows of an optimizer step on one rank."""
        return self.train.batch_size * self.train.accumulation_steps

    def default_steps(self, ranks: int) -> int:
        return max(1, round(self._epochs * self._count / (self.sequences_per_step * ranks)))

    def count_flops(self) -> float:
        """Floating-point operations of training on one token."""
        return finetuning_flops(
            self.base.config,
            length=self.mean_length,
            logits_share=self.logits_share,
            frozen=self.lora is not None,
        )

    def load_base(self, device: str, *, dropout: float = 0.0) -> GPT:
        """Reads the weights of the base."""
        model = load_model(self.base.folder, device=device, dropout=dropout)
        model.activation_checkpointing = self.train.activation_checkpointing
        return model


def base_inputs(base: ModelInfo) -> dict[str, dict[str, Any]]:
    """For run.yaml: which base, and which tokenizer."""
    return {
        "base": {"path": location_of(base.folder), "fingerprint": base.fingerprint},
        "tokenizer": {"fingerprint": base.tokenizer.fingerprint, "vocab_size": base.tokenizer.vocab_size},
    }


def conversation_tokenizer(base: ModelInfo) -> Tokenizer:
    """The base's tokenizer with a chat template; a line says so where the base has one that is not ours.

    Raises:
        InputError: the vocabulary has no end of text.
    """
    tokenizer = base.tokenizer.with_chat_template()
    if tokenizer.foreign_template is not None:
        end = tokenizer.end_of_text_name
        note(f"conversations are written in the chat template of {base.folder}; responses end with {end}")
    elif base.tokenizer.chat_template is not None and tokenizer.chat_template != base.tokenizer.chat_template:
        warn(
            f"{base.folder} was tuned with another chat template, which cannot be read without running it: rows are"
            " written in tuppence's own, and the result has that one"
        )
    return tokenizer
