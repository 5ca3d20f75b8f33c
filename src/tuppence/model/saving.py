"""Writes our models as Hugging Face GPT-2 folders: complete or absent. `weights` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuppence.core import files
from tuppence.core.folders import atomic_folder
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.hugging_face import classifier_config, config_to_hugging_face, to_hugging_face
from tuppence.model.lora import merged_state
from tuppence.model.tensor_files import WEIGHTS, save_tensors
from tuppence.model.weights import SCORE
from tuppence.tokenizer import Tokenizer


def save_model(
    model: GPT, folder: Path | str, *, tokenizer: Tokenizer | None = None, dtype: torch.dtype | None = None
) -> None:
    """Writes a Hugging Face folder that `AutoModelForCausalLM.from_pretrained` opens; complete or absent.

    Args:
        model: the bare model (not a DDP or compiled wrapper), on any device; adapters are merged into the weights.
        folder: replaced as a whole if it exists.
        tokenizer: written to the same folder; the configs name its end of text.
        dtype: of the stored weights; the model's own by default.

    Raises:
        OutOfSpaceError: the disk is full; what was at `folder` is untouched.
    """
    dtype = dtype or model.token_embedding.weight.dtype
    end_of_text = _end_of_text(tokenizer)
    state = {name: tensor.detach().to("cpu", dtype) for name, tensor in merged_state(model).items()}
    config = config_to_hugging_face(model.config, dtype=dtype, end_of_text=end_of_text)
    stops = list(tokenizer.stop_ids) if tokenizer else []
    ends = {"bos_token_id": end_of_text, "eos_token_id": stops if len(stops) > 1 else next(iter(stops), None)}
    _write_folder(
        Path(folder), to_hugging_face(state), {"config.json": config, "generation_config.json": ends}, tokenizer
    )


def save_scorer(
    model: SequenceScorer, folder: Path | str, *, labels: Sequence[str], tokenizer: Tokenizer | None = None
) -> None:
    """Writes a folder that `AutoModelForSequenceClassification.from_pretrained` opens; complete or absent.

    transformers reads the score at the last token that is not padding. The config names the end of text as the padding
    token, because no text ends with it.

    Args:
        labels: the names of the scores, in order.

    Raises:
        OutOfSpaceError: the disk is full; what was at `folder` is untouched.
    """
    end_of_text = _end_of_text(tokenizer)
    state = {name: tensor.detach().to("cpu") for name, tensor in merged_state(model.gpt).items()}
    tensors = {**to_hugging_face(state), SCORE: model.score.weight.detach().to("cpu")}
    dtype = model.score.weight.dtype
    config = classifier_config(config_to_hugging_face(model.gpt.config, dtype=dtype, end_of_text=end_of_text), labels)
    _write_folder(Path(folder), tensors, {"config.json": config}, tokenizer, pads=True)


def _end_of_text(tokenizer: Tokenizer | None) -> int | None:
    """The end-of-text id for the configs; None without a tokenizer, or if the tokenizer has no such token."""
    return next(iter(tokenizer.start_ids), None) if tokenizer else None


def _write_folder(
    folder: Path,
    tensors: dict[str, Tensor],
    configs: Mapping[str, dict[str, Any]],
    tokenizer: Tokenizer | None,
    *,
    pads: bool = False,
) -> None:
    with atomic_folder(folder) as temporary:
        save_tensors(tensors, temporary / WEIGHTS)
        for name, values in configs.items():
            files.write_json(temporary / name, values)
        if tokenizer is not None:
            tokenizer.save(temporary, pads=pads)
