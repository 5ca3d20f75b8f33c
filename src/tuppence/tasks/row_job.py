"""`RowJob`: the part of a job that all finetunes share. They start from a trained model and learn from rows in memory.

The base class of the jobs in `classify`, `instruct`, `reward`, `dpo` and `ppo`. Pretraining reads a stream of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuppence.core.config import Section
from tuppence.core.console import note, warn
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo
from tuppence.model.lora import LoRA
from tuppence.model.weights import load_model
from tuppence.storage import location_of
from tuppence.tasks.adapter import LoRAConfig
from tuppence.tasks.job import Job
from tuppence.tasks.rows import rows_input
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Model


class RowRecipe(Section):
    """The sections that the recipes of all finetunes have."""

    lora: LoRAConfig = LoRAConfig()
    train: TrainConfig


class RowJob(Job[Model]):
    """A run that finetunes a base on rows.

    Args:
        base: the model that training starts from.
        files: the files of rows, which run.yaml records.
        out: the run folder.
        rows: the training rows.
        lengths: the encoded length of each training row, in tokens.
        epochs: passes over the rows of a run that no other limit ends.
        lora: the adapter to train; None: the weights of the base are trained.
        flops_per_token: floating-point operations of training on one token.
        inputs: further entries of `Job.inputs`.
    """

    compiles = False

    def __init__(
        self,
        base: ModelInfo,
        files: Sequence[Path],
        out: Path,
        recipe: RowRecipe,
        *,
        rows: Sequence[object],
        lengths: Sequence[int],
        epochs: float,
        lora: LoRA | None,
        flops_per_token: float,
        inputs: Mapping[str, Mapping[str, Any]] = {},
    ) -> None:
        self.base, self.lora, self.rows = base, lora, rows
        self.out, self.train, self.flops_per_token = out, recipe.train, flops_per_token
        self.settings = {name: getattr(recipe, name) for name in type(recipe).model_fields if name != "train"}
        self.inputs = {
            "base": {"path": location_of(base.folder), "fingerprint": base.fingerprint},
            "tokenizer": {"fingerprint": base.tokenizer.fingerprint, "vocab_size": base.tokenizer.vocab_size},
            "data": rows_input(files, len(rows)),
            **inputs,
        }
        self.tokens_per_step = round(self.sequences_per_step * (sum(lengths) / len(lengths)))
        self._sequences = epochs * len(lengths)

    @property
    def sequences_per_step(self) -> int:
        """Rows of an optimizer step on one rank."""
        return self.train.batch_size * self.train.accumulation_steps

    def default_steps(self, ranks: int) -> int:
        return max(1, round(self._sequences / (self.sequences_per_step * ranks)))

    def load_base(self, device: str, *, dropout: float = 0.0) -> GPT:
        """Reads the weights of the base."""
        model = load_model(self.base.folder, device=device, dropout=dropout)
        model.activation_checkpointing = self.train.activation_checkpointing
        return model


def conversation_tokenizer(base: ModelInfo) -> Tokenizer:
    """The base's tokenizer with a chat template. Prints a line if the base has another template than tuppence's own.

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
