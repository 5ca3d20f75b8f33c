"""Opens a trained model with its tokenizer, from a run or any Hugging Face GPT-2 folder.

`inspect` reads config.json, the tokenizer and the headers of the weight files, and checks that they fit together.
`load` also reads the weights. Callers: the command line, `evaluation`, `tasks` (which inspect a base, and read its
weights when training begins) and `quickstart`. The file formats are in `weights`.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

import torch
from torch import Tensor, nn

from tuppence.core.environment import Precision, choose_device, choose_precision
from tuppence.core.errors import InputError
from tuppence.core.threads import share_cores
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.precision import DTYPES, autocast
from tuppence.model.weights import ModelFiles, load_model, load_scorer, open_model
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.folders import read_folder

Kind = Literal["language model", "classifier", "reward model"]
Head = Literal["lm", "scores"]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class ModelInfo(ModelFiles):
    """The files of a model, and its tokenizer; without its weights.

    Attributes, beside those of `ModelFiles`:
        tokenizer: has at most `config.vocab_size` ids.
    """

    tokenizer: Tokenizer

    @property
    def kind(self) -> Kind:
        """A reward model is a classifier with one score."""
        return "language model" if not self.labels else "reward model" if len(self.labels) == 1 else "classifier"


@dataclass(frozen=True)
class LoadedModel(ModelInfo, Generic[Model]):
    """A model in evaluation mode on a device, with its tokenizer.

    Attributes:
        model: a `GPT`, or a `SequenceScorer` for a classifier or reward model. Run it inside `autocast()`.
        device: name of the torch device.
        precision: of the matrix products.
    """

    model: Model
    device: str
    precision: Precision

    def autocast(self) -> AbstractContextManager[object]:
        """The context for forward passes; a no-op if the weights themselves are in `precision`."""
        is_cast = next(self.model.parameters()).dtype == DTYPES[self.precision.name]
        return autocast(self.device, "float32" if is_cast else self.precision.name)

    @cached_property
    def values_fingerprint(self) -> str:
        """sha256 over the names and values of the weights and the labels. It does not depend on the file format.

        Row logs use it as a key. Takes seconds for a large model.
        """
        model: nn.Module = self.model
        body = model.gpt if isinstance(model, SequenceScorer) else model
        digest = hashlib.sha256()
        for name, tensor in sorted(body.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(_bytes_of(tensor))
        if not isinstance(model, SequenceScorer):
            return digest.hexdigest()
        named = "\n".join([digest.hexdigest(), *self.labels]).encode()
        return hashlib.sha256(named + _bytes_of(model.score.weight)).hexdigest()


def inspect(folder: str | Path, head: Head | None = None) -> ModelInfo:
    """Opens a model folder without reading the weights.

    Args:
        folder: a run, a Hugging Face GPT-2 folder, or the folder of a PEFT adapter.
        head: required kind: a language model ("lm"), or a classifier or reward model ("scores"). None accepts both.

    Raises:
        InputError: there is no model or tokenizer, tensors are missing or do not fit config.json, or the tokenizer has
            ids that the model does not.
        CorruptFileError: a file is damaged.
    """
    found = open_model(folder)
    if head == "scores" and found.adapter is not None:
        raise InputError(f"{found.folder} is an adapter without its classifier's labels", "give the run it belongs to")
    if head == "lm" and found.labels:
        raise InputError(f"{found.folder} is a classifier, not a language model", "use it with a classifying verb")
    if head == "scores" and not found.labels:
        raise InputError(
            f"{found.folder} is a language model: it has no scores",
            "give a run of 'tuppence finetune classify', or of 'tuppence align reward' where answers are scored",
        )
    tokenizer = Tokenizer.of_folder(read_folder(found.place))
    if tokenizer.vocab_size > found.config.vocab_size:
        raise InputError(
            f"the tokenizer in {found.place} has {tokenizer.vocab_size:,} ids, the model only"
            f" {found.config.vocab_size:,}",
            "put the tokenizer beside the model that it was trained with",
        )
    return ModelInfo(**vars(found), tokenizer=tokenizer)


@overload
def load(
    folder: str | Path,
    device: str = "auto",
    precision: str = "auto",
    *,
    head: Literal["lm"],
    cast_weights: bool = False,
) -> LoadedModel[GPT]: ...
@overload
def load(
    folder: str | Path, device: str = "auto", precision: str = "auto", *, head: Literal["scores"]
) -> LoadedModel[SequenceScorer]: ...
@overload
def load(
    folder: str | Path | ModelInfo, device: str = "auto", precision: str = "auto"
) -> LoadedModel[GPT | SequenceScorer]: ...
def load(
    folder: str | Path | ModelInfo,
    device: str = "auto",
    precision: str = "auto",
    *,
    head: Head | None = None,
    cast_weights: bool = False,
) -> LoadedModel[Any]:
    """Reads a model and its tokenizer.

    Args:
        folder: as in `inspect`; or the result of `inspect`, which is then not read again, and whose kind is known.
        head: as in `inspect`, for a folder.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: `float32`, `bf16`, `fp16` or `auto`. Auto is the device's fastest for a language model, and float32
            for a classifier or reward model, so that a score does not depend on the other texts of the batch.
        cast_weights: store the weights in `precision`, which halves the memory that generation reads for every token.
            Otherwise they are float32, and `LoadedModel.autocast` casts.

    Raises:
        InputError, CorruptFileError: as `inspect`; also NaN in the weights, or a device that this machine lacks.
    """
    info = folder if isinstance(folder, ModelInfo) else inspect(folder, head)
    share_cores()
    device = choose_device(device)
    chosen = choose_precision(device, "float32" if info.labels and precision == "auto" else precision)
    model: nn.Module
    if info.labels:
        model = load_scorer(info, device=device)
    else:
        model = load_model(info, device=device, dtype=DTYPES[chosen.name] if cast_weights else None)
    known = {field.name: getattr(info, field.name) for field in fields(info)}
    return LoadedModel(**known, model=model, device=device, precision=chosen)


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
