"""Translates our tensor names and config keys to Hugging Face's names for GPT-2, and back. Pure; no files: the messages
of errors do not name any, callers add it (`core.errors.naming`).

Hugging Face stores GPT-2's matrices as the original TensorFlow code does, (in, out). Ours are (out, in) as in
`nn.Linear`, so each matrix is transposed. The head has no tensor of its own: it is the token embedding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from tuppence.core.errors import InputError
from tuppence.model.config import ModelConfig

_NAMES = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "final_norm": "ln_f",
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.projection": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.expand": "mlp.c_fc",
    "mlp.contract": "mlp.c_proj",
}
_OURS = {theirs: ours for ours, theirs in _NAMES.items()}
_TRANSPOSED = ("attention.qkv.weight", "attention.projection.weight", "mlp.expand.weight", "mlp.contract.weight")

TOKEN_EMBEDDING = "token_embedding.weight"

# Masks that old versions of transformers saved with the weights. They are constants.
_MASK_BUFFER = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)")

# transformers' general names for these sizes, which it also accepts in a GPT-2's config.json
_OTHER_NAMES = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}

# Options that change the logits, and the values we implement, under all their names. The first value is transformers'
# default if a config omits the option, and the value we write.
_FIXED: dict[str, tuple[Any, ...]] = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}


def is_transposed(name: str) -> bool:
    """Whether the tensor of this (our) name is stored (in, out) by Hugging Face."""
    return name.endswith(_TRANSPOSED)


def their_name(name: str) -> str:
    """Our tensor name as Hugging Face writes it.

    Example:
        >>> their_name("blocks.11.attention.qkv.weight")
        'transformer.h.11.attn.c_attn.weight'
        >>> their_name("token_embedding.weight")
        'transformer.wte.weight'
    """
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)\.(weight|bias)", name)
    if block:
        return f"transformer.h.{block[1]}.{_NAMES[block[2]]}.{block[3]}"
    module, _, kind = name.rpartition(".")
    return f"transformer.{_NAMES[module]}.{kind}"


def our_name(name: str) -> str | None:
    """Translates a Hugging Face tensor name, with or without the prefix `transformer.`, to ours; None for an unknown
    tensor.

    Example:
        >>> our_name("h.0.mlp.c_proj.bias"), our_name("transformer.wte.weight"), our_name("score.weight")
        ('blocks.0.mlp.contract.bias', 'token_embedding.weight', None)
    """
    block = re.fullmatch(r"(?:transformer\.)?h\.(\d+)\.(.+)\.(weight|bias)", name)
    if block:
        return f"blocks.{block[1]}.{_OURS[block[2]]}.{block[3]}" if block[2] in _OURS else None
    module, _, kind = name.removeprefix("transformer.").rpartition(".")
    return f"{_OURS[module]}.{kind}" if module in ("wte", "wpe", "ln_f") else None


def is_mask_buffer(name: str) -> bool:
    """Whether a tensor is one of the masks that old files carry: it is skipped.

    Example:
        >>> is_mask_buffer("transformer.h.3.attn.masked_bias"), is_mask_buffer("h.3.attn.c_attn.bias")
        (True, False)
    """
    return _MASK_BUFFER.fullmatch(name.removeprefix("transformer.")) is not None


def to_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `GPT` under Hugging Face's names and layouts; contiguous, as safetensors wants them."""
    return {
        their_name(name): (tensor.t() if is_transposed(name) else tensor).contiguous() for name, tensor in state.items()
    }


def from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translates a Hugging Face GPT-2 state to the state of a `GPT`.

    Masks are dropped. An explicit head is compared with the token embedding and dropped. If the token embedding is
    absent, the head takes its place: a file that stores the shared tensor once can use either name.

    Raises:
        InputError: a tensor that GPT-2 does not have, or a head that differs from the token embedding.
    """
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if is_mask_buffer(name) or name == "lm_head.weight":
            continue
        translated = our_name(name)
        if translated is None:
            raise unexpected_tensor(name)
        ours[translated] = tensor.t().contiguous() if is_transposed(translated) else tensor
    head = state.get("lm_head.weight")
    if head is not None and not torch.equal(head, ours.setdefault(TOKEN_EMBEDDING, head)):
        raise InputError(
            "lm_head.weight differs from transformer.wte.weight: the head of this model is not tied",
            "GPT-2's head is its token embedding; models with a head of their own cannot be loaded",
        )
    return ours


def unexpected_tensor(name: str) -> InputError:
    """Returns the error for a tensor that a GPT-2 language model of these sizes does not have."""
    if name.startswith(("score.", "classifier.")):
        return InputError(f"{name}: this is a classifier, not a language model", "use it with a classifying verb")
    if "lora_" in name:
        return InputError(f"{name}: this is an adapter, not a model", "give the folder of the model it belongs to")
    return InputError(f"unexpected tensor {name}", "only GPT-2 language models can be loaded")


def config_to_hugging_face(
    config: ModelConfig, *, dtype: torch.dtype = torch.float32, end_of_text: int | None = None
) -> dict[str, Any]:
    """The content of config.json."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": None,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "initializer_range": 0.02,
        **{key: names[0] for key, names in _FIXED.items()},
        "tie_word_embeddings": True,
        "use_cache": True,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "torch_dtype": str(dtype).removeprefix("torch."),  # newer versions say "dtype", and read this too
    }


def classifier_config(config: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """The content of config.json for a `GPT2ForSequenceClassification` with these labels."""
    return {
        **config,
        "architectures": ["GPT2ForSequenceClassification"],
        "problem_type": "single_label_classification" if len(labels) > 1 else "regression",
        "num_labels": len(labels),
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
        "pad_token_id": config["eos_token_id"],
    }


def labels_from_config(values: Mapping[str, Any]) -> list[str]:
    """The names of a classifier's scores, in order.

    Raises:
        InputError: the labels are not numbered from 0, or there are more than 100,000.
    """
    named = values.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})  # transformers' default
    if not isinstance(named, dict) or not 1 <= len(named) <= 100_000:
        raise InputError("id2label does not map numbers to labels", "restore the file")
    labels = [named.get(str(index)) for index in range(len(named))]
    if not all(isinstance(label, str) for label in labels):
        raise InputError("id2label is not numbered from 0", "restore the file")
    return [str(label) for label in labels]


def config_from_hugging_face(values: Any) -> ModelConfig:
    """Reads config.json. An option that changes the logits and is not implemented raises an error.

    The residual dropout is used for all three dropouts of GPT-2; they are equal in every known model.

    Raises:
        InputError: not a GPT-2, a size is missing or out of range, or an option is not implemented.
    """
    hint = "only GPT-2 language models can be loaded"
    if not isinstance(values, dict) or values.get("model_type") != "gpt2":
        found = values.get("model_type") if isinstance(values, dict) else type(values).__name__
        raise InputError(f"model_type is {found!r}, not 'gpt2'", hint)
    for key, names in _FIXED.items():
        if values.get(key, names[0]) not in names:
            raise InputError(f"{key} is {values[key]!r}; only {names[0]!r} is implemented", hint)
    if "quantization_config" in values:
        raise InputError("quantization_config: quantized weights cannot be read", hint)

    values = {**{ours: values[theirs] for theirs, ours in _OTHER_NAMES.items() if theirs in values}, **values}
    sizes = {key: _integer(values, key) for key in ("n_layer", "n_head", "n_embd", "n_positions", "vocab_size")}
    if values.get("n_inner") not in (None, 4 * sizes["n_embd"]):
        raise InputError(f"n_inner is {values['n_inner']!r}; only 4 × n_embd is implemented", hint)
    try:
        return ModelConfig(
            n_layers=sizes["n_layer"],
            n_heads=sizes["n_head"],
            d_model=sizes["n_embd"],
            context_length=sizes["n_positions"],
            vocab_size=sizes["vocab_size"],
            dropout=values.get("resid_pdrop", 0.1),
            layer_norm_epsilon=values.get("layer_norm_epsilon", 1e-5),
        )
    except ValidationError as error:
        first = error.errors()[0]
        named = "".join(f"{part}: " for part in first["loc"])
        raise InputError(f"{named}{first['msg']}", hint) from error


def _integer(values: Mapping[str, Any], key: str) -> int:
    if key not in values:
        raise InputError(f"{key} is missing", "restore the file from where the model came")
    value = values[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{key} is {value!r}, not a whole number", "restore the file")
    return value
