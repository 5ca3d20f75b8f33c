"""Loads what is evaluated: a model with its tokenizer, on a device, in a precision.

A subject is a run folder or any Hugging Face GPT-2 folder with a tokenizer. Called by `evaluate`; tasks take a
`Subject` and need not know where it came from.
"""

from __future__ import annotations

import contextlib
import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from tuppence.core.environment import Precision, choose_device, choose_precision
from tuppence.core.errors import InputError
from tuppence.core.files import read_json
from tuppence.core.run import Run
from tuppence.model.gpt import GPT
from tuppence.model.weights import load_model, model_folder
from tuppence.tokenizer import Tokenizer

LANGUAGE_MODEL = "language model"
CLASSIFIER = "classifier"
REWARD_MODEL = "reward model"


@dataclass(frozen=True)
class Subject:
    """A model that is ready to be asked.

    Attributes:
        folder: what the person named.
        model: on `device`, in float32; run it inside `arithmetic()`.
        tokenizer: its tokenizer.
        device: torch's name of it.
        precision: of the matrix products.
    """

    folder: Path
    model: GPT
    tokenizer: Tokenizer
    device: str
    precision: Precision

    def arithmetic(self) -> AbstractContextManager[Any]:
        """The autocast block of the subject's precision."""
        if self.precision.name == "float32":
            return contextlib.nullcontext()
        dtype = torch.bfloat16 if self.precision.name == "bf16" else torch.float16
        return torch.autocast(self.device.partition(":")[0], dtype=dtype)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the names and values of all weights: what results of this model depend on."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()


def kind_of(folder: str | Path) -> str:
    """What the model of a folder is, as its config.json says: `LANGUAGE_MODEL`, `CLASSIFIER` or `REWARD_MODEL`, a
    classifier with one score.

    Raises:
        InputError: there is no model.
    """
    config = read_json(model_folder(folder) / "config.json")
    architectures = config.get("architectures") if isinstance(config, dict) else None
    named = architectures if isinstance(architectures, list) else []
    if not any("SequenceClassification" in str(one) for one in named):
        return LANGUAGE_MODEL
    labels = config.get("id2label")
    return REWARD_MODEL if isinstance(labels, dict) and len(labels) == 1 else CLASSIFIER


def load_subject(folder: str | Path, device: str = "auto", precision: str = "auto") -> Subject:
    """Loads the model of a run folder, or of a Hugging Face folder.

    Raises:
        InputError: there is no model or tokenizer, one is damaged, or they do not belong together.
    """
    device = choose_device(device)
    source = model_folder(folder)
    tokenizer = Tokenizer.load(source)
    model = load_model(folder, device=device)  # not `source`: an adapter's base lacks the adapter
    if tokenizer.vocab_size > model.config.vocab_size:
        raise InputError(
            f"the tokenizer in {source} has {tokenizer.vocab_size:,} ids, the model only {model.config.vocab_size:,}",
            "put the tokenizer beside the model that it was trained with",
        )
    return Subject(Path(folder), model, tokenizer, device, choose_precision(device, precision))


def data_of_run(folder: Path) -> str | None:
    """The DATA folder that a run, or the pretrained one it comes from, was trained on; None where none is known."""
    for run, record in Run.of(folder).lineage():
        path = run.named(record, "data")
        if path is not None and "base" not in record:
            return str(run.find(path) or path)
    return None
