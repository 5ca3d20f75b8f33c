"""Reads models from Hugging Face GPT-2 folders.

`open_model` finds and checks the files, and `load_model` reads the weights. `tensor_files` has the checks;
`hugging_face` translates the names of tensors. `saving` writes such folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tuppence.core import files
from tuppence.core.errors import InputError, naming
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
    StoredTensor,
    check_names,
    check_shapes,
    find_tensors,
    read_tensors,
    shapes,
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


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model that was found and checked, without its weights.

    Attributes:
        folder: as the user named it, on this machine: a run, a Hugging Face folder, or an adapter's folder.
        place: the Hugging Face folder: `folder` itself, RUN/model, or the base of the adapter.
        adapter: the folder of the adapter, which is merged into the model of `place`; None if there is none.
        config: the sizes.
        labels: the names of a classifier's scores, in order; empty for a language model.
        stored: the tensors in the files, by Hugging Face's names.
    """

    folder: Path
    place: Path
    adapter: Path | None
    config: ModelConfig
    labels: tuple[str, ...]
    stored: Mapping[str, StoredTensor]

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of the weight file, see the function `fingerprint`; reads the file."""
        return _sha256_of_weights(self.stored, self.adapter)


def open_model(folder: Path | str) -> ModelFiles:
    """Finds the files of a model, and compares names, shapes and types of all tensors with config.json.

    Args:
        folder: a Hugging Face folder, a run, or the folder of a PEFT adapter.

    Raises:
        InputError: there is no model, or not a GPT-2 we implement; the message names the file and the key or tensor.
        CorruptFileError: a file is damaged or has another format than its name says.
    """
    folder = stage_run(folder)
    place, adapter = _find_model(folder)
    path = place / "config.json"
    values = files.read_json(path)
    with naming(path):
        config = config_from_hugging_face(values)
    stored = find_tensors(place)
    if values.get("tie_word_embeddings") is False:
        _check_own_head(place, stored)
    with torch.device("meta"):
        model = GPT(config)
    of_gpt = {name: tensor for name, tensor in stored.items() if name != SCORE}
    check_names(of_gpt, model, place)
    check_shapes(of_gpt, shapes(model))
    named = values.get("architectures")
    labels: tuple[str, ...] = ()
    if SCORE in stored:
        with naming(path):
            labels = tuple(labels_from_config(values))
        check_shapes({SCORE: stored[SCORE]}, {SCORE: (len(labels), config.d_model)})
    elif isinstance(named, list) and any("SequenceClassification" in str(one) for one in named):
        raise InputError(f"{place}: tensor {SCORE} is missing", "restore the file")
    return ModelFiles(folder, place, adapter, config, labels, stored)


def _find_model(folder: Path) -> tuple[Path, Path | None]:
    """Returns the attributes `place` and `adapter` of `ModelFiles`.

    Raises:
        InputError: there is no model in `folder`.
    """
    folder = standing(folder)
    adapter = folder if adapters.is_adapter(folder) else None
    for place in (folder, standing(Run(folder).model)):
        if (place / "config.json").is_file():
            return place, adapter
    if adapter is not None:
        return adapters.base_of(adapter), adapter
    if not folder.exists():
        raise InputError(f"{folder} does not exist", "give a run folder, or a Hugging Face GPT-2 folder")
    raise InputError(
        f"{folder} holds no model: there is no config.json in it or in its model/ folder",
        "give a run that has ended or stopped, or a Hugging Face GPT-2 folder",
    )


def load_model(
    folder: Path | str | ModelFiles,
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
        folder: config.json with model.safetensors (or its index and shards); or a RUN that has those in RUN/model; or
            the result of `open_model`, which is then not found and checked again.
        dtype: of the parameters; float32 by default, whatever dtype the file has.
        device: of the parameters; the CPU by default.
        dropout: for further training; the config's by default.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: not a GPT-2 we implement; the message names the file and the key or tensor.
        CorruptFileError: a file is damaged or has another format than its name says.
    """
    found = folder if isinstance(folder, ModelFiles) else open_model(folder)
    if found.labels:
        with naming(found.stored[SCORE].path):
            raise unexpected_tensor(SCORE)
    config = found.config if dropout is None else found.config.model_copy(update={"dropout": dropout})
    model, _ = _read_gpt(found, config, dtype or torch.float32)
    if found.adapter is not None:
        adapters.load_adapter(model, found.adapter, base_sha256=_sha256_of_weights(found.stored))
        merged = merged_state(model)
        with torch.device("meta"):
            model = GPT(config)
        model.load_state_dict(merged, assign=True)
    return model.to(device or "cpu").eval()


def load_scorer(folder: Path | str | ModelFiles, *, device: torch.device | str | None = None) -> SequenceScorer:
    """Reads the model of a `GPT2ForSequenceClassification` folder or a run, in float32.

    Arguments and errors as in `load_model`; also InputError if the model has no scores.
    """
    found = folder if isinstance(folder, ModelFiles) else open_model(folder)
    if not found.labels:
        raise InputError(
            f"{found.place} is a language model: it has no scores",
            "give a run of 'tuppence finetune classify', or of 'tuppence align reward' where answers are scored",
        )
    gpt, score = _read_gpt(found, found.config, torch.float32)
    assert score is not None  # `open_model` has checked it
    with torch.device("meta"):
        model = SequenceScorer(gpt, len(found.labels))
    model.score.weight = torch.nn.Parameter(score)
    return model.to(device or "cpu").eval()


def fingerprint(folder: Path | str) -> str:
    """Returns the sha256 of a model's weight file. For several files, it is the sha256 of their sha256s. For an
    adapter's folder, it covers the files of the base and of the adapter."""
    place, adapter = _find_model(stage_run(folder))
    return _sha256_of_weights(find_tensors(place), adapter)


def _sha256_of_weights(stored: Mapping[str, StoredTensor], adapter: Path | None = None) -> str:
    paths = sorted({one.path for one in stored.values()})
    if adapter is not None:
        paths += [adapter / adapters.CONFIG, adapter / adapters.WEIGHTS]
    digests = [files.sha256_file(path) for path in paths]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def unused_generation_settings(place: Path) -> list[str]:
    """Returns the keys of `generation_config.json` that `generate` ignores: it only uses its arguments.

    `eos_token_id` is used: it becomes the tokenizer's `stop_ids`.

    Args:
        place: `ModelFiles.place`.
    """
    path = place / "generation_config.json"
    values = files.read_json(path) if path.is_file() else None
    return [key for key in _GENERATION_KEYS if values.get(key) is not None] if isinstance(values, dict) else []


def _check_own_head(place: Path, stored: Mapping[str, StoredTensor]) -> None:
    """If the config does not tie head and token embedding, both must exist; `from_hugging_face` compares them."""
    if "lm_head.weight" not in stored:
        raise InputError(
            f"{place} has no lm_head.weight, and its config does not tie it to the token embedding",
            "give the complete model",
        )
    if not any(our_name(name) == TOKEN_EMBEDDING for name in stored):
        raise InputError(f"{place}: tensor {their_name(TOKEN_EMBEDDING)} is missing", "restore the file")


def _read_gpt(found: ModelFiles, config: ModelConfig, dtype: torch.dtype) -> tuple[GPT, Tensor | None]:
    """Reads all tensors. Returns the GPT, and the weight matrix of a classifier's head; None if there is none."""
    with torch.device("meta"):
        model = GPT(config)
    state = read_tensors(found.stored, dtype)
    score = state.pop(SCORE, None)
    with naming(found.place):
        model.load_state_dict(from_hugging_face(state), assign=True)
    return model, score
