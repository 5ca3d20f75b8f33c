"""Reads models from Hugging Face GPT-2 folders.

Folders are checked before weights are read (`tensor_files`); `hugging_face` translates the names of tensors. `saving`
writes such folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from tuppence.core import files
from tuppence.core.errors import InputError
from tuppence.core.folders import standing
from tuppence.core.run import Run
from tuppence.model import adapters
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.hugging_face import (
    TOKEN_EMBEDDING,
    config_from_hugging_face,
    from_hugging_face,
    labels_from_config,
    our_name,
    their_name,
    unexpected_tensor,
)
from tuppence.model.lora import merged_state
from tuppence.model.tensor_files import (
    check_names,
    check_shapes,
    read_tensor,
    read_tensors,
    shapes,
    tensor_files,
)
from tuppence.storage import stage_run

SCORE = "score.weight"
"""Hugging Face's name for the weight matrix of a classifier's head."""

_GENERATION_KEYS = (
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "num_beams", "penalty_alpha"),
    *("repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
    *("forced_bos_token_id", "forced_eos_token_id", "sequence_bias", "stop_strings"),
    *("min_length", "min_new_tokens", "max_length", "max_new_tokens"),
)


def model_folder(folder: Path | str) -> Path:
    """Returns the Hugging Face folder for `folder`: itself, RUN/model for a run, or the base of an adapter.

    Raises:
        InputError: there is no model in `folder`.
    """
    folder = standing(stage_run(folder))
    for place in (folder, standing(Run(folder).model)):
        if (place / "config.json").is_file():
            return place
    if adapters.is_adapter(folder):
        return adapters.base_of(folder)
    if not folder.exists():
        raise InputError(f"{folder} does not exist", "give a run folder, or a Hugging Face GPT-2 folder")
    raise InputError(
        f"{folder} holds no model: there is no config.json in it or in its model/ folder",
        "give a run that has ended or stopped, or a Hugging Face GPT-2 folder",
    )


@dataclass(frozen=True)
class Headers:
    """Facts about the model in a Hugging Face folder that are known without reading its weights.

    Attributes:
        place: the folder.
        config: the sizes.
        labels: the names of a classifier's scores, in order; empty for a language model.
        stored: the file of each tensor, by Hugging Face's names.
    """

    place: Path
    config: ModelConfig
    labels: tuple[str, ...]
    stored: Mapping[str, Path]


def read_headers(place: Path) -> Headers:
    """Reads config.json and the headers of the weight files, and compares names, shapes and types of all tensors.

    Args:
        place: a folder, as returned by `model_folder`.

    Raises:
        InputError: not a GPT-2 we implement; the message names the file and the key or tensor.
        CorruptFileError: a file is damaged or has another format than its name says.
    """
    path = place / "config.json"
    values = files.read_json(path)
    config, stored = config_from_hugging_face(values, str(path)), tensor_files(place)
    if values.get("tie_word_embeddings") is False:
        _check_own_head(place, stored)
    with torch.device("meta"):
        model = GPT(config)
    names = {name: path for name, path in stored.items() if name != SCORE}
    check_names(names, model, place)
    check_shapes(names, shapes(model))
    named = values.get("architectures")
    if SCORE in stored:
        labels = tuple(labels_from_config(values, str(path)))
        check_shapes({SCORE: stored[SCORE]}, {SCORE: (len(labels), config.d_model)})
    elif isinstance(named, list) and any("SequenceClassification" in str(one) for one in named):
        raise InputError(f"{place}: tensor {SCORE} is missing", "restore the file")
    else:
        labels = ()
    return Headers(place, config, labels, stored)


def load_model(
    folder: Path | str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    dropout: float | None = None,
) -> GPT:
    """Reads the model of a Hugging Face GPT-2 folder or a run. For a PEFT adapter, merges it into its base.

    Accepts the variants that `from_pretrained` accepts: sharded weights, names without `transformer.`, an explicit
    `lm_head` beside the token embedding or in its place (they are one matrix), mask buffers of old versions, float16
    and bfloat16 files.

    Args:
        folder: config.json with model.safetensors (or its index and shards); or a RUN that has those in RUN/model.
        dtype: of the parameters; float32 by default, whatever dtype the file has.
        device: of the parameters; the CPU by default.
        dropout: for further training; the config's by default.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: not a GPT-2 we implement; the message names the file and the key or tensor.
        CorruptFileError: a file is damaged or has another format than its name says.
    """
    folder = standing(stage_run(folder))
    headers = read_headers(model_folder(folder))
    if headers.labels:
        error = unexpected_tensor(SCORE)
        raise InputError(f"{headers.stored[SCORE]}: {error.message}", error.hint)
    config = headers.config if dropout is None else headers.config.model_copy(update={"dropout": dropout})
    with torch.device("meta"):
        model = GPT(config)
    _fill(model, headers, dtype or torch.float32)
    if adapters.is_adapter(folder):
        adapters.load_adapter(model, folder, base_sha256=fingerprint(headers.place))
        merged = merged_state(model)
        with torch.device("meta"):
            model = GPT(config)
        model.load_state_dict(merged, assign=True)
    return model.to(device or "cpu").eval()


def load_scorer(folder: Path | str, *, device: torch.device | str | None = None) -> tuple[SequenceScorer, list[str]]:
    """Reads a `GPT2ForSequenceClassification` folder or a run; returns the model and the names of its scores.

    The weights are float32. Errors as in `load_model`.
    """
    headers = read_headers(model_folder(folder))
    if not headers.labels:
        raise InputError(
            f"{headers.place} is a language model: it has no scores",
            "give a run of 'tuppence finetune classify', or of 'tuppence align reward' where answers are scored",
        )
    with torch.device("meta"):
        model = SequenceScorer(GPT(headers.config), len(headers.labels))
    _fill(model.gpt, headers, torch.float32)
    path = headers.stored[SCORE]
    with safe_open(path, framework="pt") as opened:
        score = read_tensor(opened, SCORE, path)
    model.score.weight = torch.nn.Parameter(score.to(torch.float32))
    return model.to(device or "cpu").eval(), list(headers.labels)


def fingerprint(folder: Path | str) -> str:
    """Returns the sha256 of a model's weight file. For several files, it is the sha256 of their sha256s. For an
    adapter's folder, it covers the files of the base and of the adapter."""
    folder = standing(stage_run(folder))
    place = model_folder(folder)
    paths = sorted(set(tensor_files(place).values()))
    if adapters.is_adapter(folder):
        paths += [folder / adapters.CONFIG, folder / adapters.WEIGHTS]
    digests = [files.sha256_file(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def unused_generation_settings(folder: Path | str) -> list[str]:
    """Returns the keys of a folder's `generation_config.json` that `generate` ignores: it only uses its arguments.

    `eos_token_id` is used: it becomes the tokenizer's `stop_ids`.
    """
    path = model_folder(folder) / "generation_config.json"
    values = files.read_json(path) if path.is_file() else None
    return [key for key in _GENERATION_KEYS if values.get(key) is not None] if isinstance(values, dict) else []


def _check_own_head(place: Path, stored: Mapping[str, Path]) -> None:
    """If the config does not tie head and token embedding, both must exist; `from_hugging_face` compares them."""
    if "lm_head.weight" not in stored:
        raise InputError(
            f"{place} has no lm_head.weight, and its config does not tie it to the token embedding",
            "give the complete model",
        )
    if not any(our_name(name) == TOKEN_EMBEDDING for name in stored):
        raise InputError(f"{place}: tensor {their_name(TOKEN_EMBEDDING)} is missing", "restore the file")


def _fill(model: GPT, headers: Headers, dtype: torch.dtype) -> None:
    """Reads the tensors of a GPT into a model on the meta device."""
    state = read_tensors({name: path for name, path in headers.stored.items() if name != SCORE}, dtype)
    try:
        model.load_state_dict(from_hugging_face(state), assign=True)
    except InputError as error:
        raise InputError(f"{headers.place}: {error.message}", error.hint) from error
