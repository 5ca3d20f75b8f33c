"""The `lora` section of a recipe, and RUN/adapter."""

from __future__ import annotations

import shutil

from pydantic import Field
from torch import nn

from tuppence.core.config import Section
from tuppence.core.console import note
from tuppence.core.run import Run
from tuppence.model.adapters import save_adapter
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo
from tuppence.model.lora import TARGETS, LoRA


class LoRAConfig(Section):
    """The `lora` section: the shape of the adapter, if one is trained."""

    rank: int = Field(16, ge=1, le=4096)
    alpha: float | None = Field(None, gt=0, description="None: twice the rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = TARGETS

    def resolve(self) -> LoRA:
        """The shape of the adapter.

        Raises:
            InputError: a target is unknown.
        """
        return LoRA(self.rank, self.alpha or 2.0 * self.rank, self.dropout, tuple(self.targets))


def write_adapter(gpt: GPT, run: Run, base: ModelInfo, lora: LoRA | None, score: nn.Linear | None = None) -> None:
    """Writes RUN/adapter in PEFT's layout, if an adapter was trained.

    Writes none if the base is an adapter itself: adapter_config.json names the folder of a whole model, and there is
    no folder with the merged base.

    Args:
        lora: the shape of the adapter; None if no adapter was trained.
        score: the head of a classifier or a reward model.
    """
    if lora is None:
        return
    if base.adapter is not None:
        shutil.rmtree(run.adapter, ignore_errors=True)
        note(f"no {run.adapter}: its base is an adapter too. {run.model} holds both, merged")
        return
    save_adapter(gpt, run.adapter, lora, base=base.place, base_sha256=base.fingerprint, score=score)
