"""A language model and its tokenizer as one JSON document, which the page's JavaScript reads.

Matrices are int8 (`quantise`); biases, norms and scales float32, all in one base64 string. The rows of the token
embedding that the tokenizer has no id for are left out: such a token can neither be read nor written.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tuppence.core.errors import InputError
from tuppence.figures.page.quantise import quantise_rows
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import INSTRUCTION, RESPONSE, Message

SPLIT_PATTERNS = {
    "gpt2": (
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+"
        r"|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+"
    ),
    "gpt4": (
        r"'(?:[sSſdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}+$|\p{White_Space}*[\r\n]+"
        r"|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+"
    ),
    "gpt4-2023": (
        r"'(?:[sSſdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+"
        r"|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+"
    ),
}
"""The split patterns in JavaScript's dialect, with the flags "gu", by name. Its \\s has other characters than
Unicode's White_Space, which tiktoken's \\s means; and a pattern cannot ignore the case of a part (ſ is a small S)."""


UNREAD_TEMPLATE = "This model's own chat template cannot be used here. What you see is plain completion of your text."
"""What the page says of a model whose chat template is not read: see `tokenizer.foreign_template`."""


def pack(model: GPT, tokenizer: Tokenizer) -> dict[str, Any]:
    """Returns the model and its tokenizer as JSON values.

    Raises:
        InputError: the tokenizer's split pattern cannot be expressed in JavaScript.
    """
    return {"model": pack_model(model, tokenizer.vocab_size), "tokenizer": pack_tokenizer(tokenizer)}


def pack_model(model: GPT, vocab_size: int) -> dict[str, Any]:
    """Returns `config`, `tensors` (name, shape, kind and offset of each) and `bytes`, in base64.

    Args:
        model: the bare model, on any device.
        vocab_size: number of ids to keep.
    """
    config = model.config.model_copy(update={"vocab_size": vocab_size})
    tensors = list(_tensors(model, vocab_size))
    tensors.sort(key=lambda named: named[1].dtype == np.int8)  # stable; a float32 must begin at a multiple of 4 bytes
    entries, offset = [], 0
    for name, values in tensors:
        entries.append({"name": name, "shape": values.shape, "kind": values.dtype.name, "offset": offset})
        offset += values.nbytes
    content = b"".join(values.astype(values.dtype.newbyteorder("<")).tobytes() for _, values in tensors)
    return {
        "config": config.model_dump(exclude={"dropout"}),
        "parameters": config.parameter_count(),
        "tensors": entries,
        "bytes": base64.b64encode(content).decode(),
    }


def _tensors(model: GPT, vocab_size: int) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for name, tensor in model.state_dict().items():
        values = tensor.detach().float().cpu().numpy()
        if name == "token_embedding.weight":
            values = values[:vocab_size]
        if values.ndim == 1:
            yield name, values
            continue
        rows = quantise_rows(values)
        yield name, rows.weight
        yield name.removesuffix("weight") + "scale", rows.scale


def pack_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """Returns the tokenizer as JSON values: a token is a string with one character (U+0000 to U+00FF) for each byte.

    Raises:
        InputError: the split pattern cannot be expressed in JavaScript.
    """
    if tokenizer.foreign_template is not None:
        tokenizer = tokenizer.with_chat_template()  # its responses can end with another token than a text
    tokens: list[str | None] = [None] * tokenizer.vocab_size
    for token, identity in tokenizer.vocabulary.ranks.items():
        tokens[identity] = token.decode("latin-1")
    unread = tokenizer.chat_template is not None and not tokenizer.has_chat_template
    return {
        "pattern": javascript_pattern(tokenizer.pattern.name),
        "tokens": tokens,
        "specials": tokenizer.special_tokens,
        "stops": tokenizer.stop_ids,
        "start": tokenizer.start_ids,
        "template": pack_template(tokenizer),
        "note": UNREAD_TEMPLATE if unread else "",
    }


def pack_template(tokenizer: Tokenizer) -> dict[str, Any] | None:
    """Returns how a request becomes a prompt: `trims`, whether white space around it is removed, and `parts`, in order:
    a `text`, a `special` token's id, or the `prompt`. None if the tokenizer has no chat template that can be used.
    """
    if not tokenizer.has_chat_template:
        return None
    foreign = tokenizer.foreign_template
    if foreign is None:
        texts = ({"text": INSTRUCTION}, {"prompt": True}, {"text": "\n\n" + RESPONSE})
        return {"trims": True, "parts": texts}
    request = "\n request \n"
    parts: list[dict[str, Any]] = []
    trims = False
    for piece in foreign.render([Message("user", request)], add_generation_prompt=True):
        if piece.message is not None:
            trims = piece.text != request
            parts.append({"prompt": True})
        else:
            parts.append({"special": tokenizer.special_tokens[piece.text]} if piece.special else {"text": piece.text})
    return {"trims": trims, "parts": parts}


def javascript_pattern(name: str) -> str:
    """The split pattern called `name`, as the source of a JavaScript regular expression with the flags "gu".

    Raises:
        InputError: it has none.
    """
    if name not in SPLIT_PATTERNS:
        raise InputError(
            f"the tokenizer's split pattern {name!r} has no counterpart in JavaScript",
            f"a page can have the patterns {', '.join(SPLIT_PATTERNS)}",
        )
    return SPLIT_PATTERNS[name]


def as_script_json(value: Any) -> str:
    """JSON that can stand between `<script type="application/json">` and `</script>`, whatever texts it has.

    Example:
        >>> as_script_json({"</script>": "é"})
        '{"\\\\u003c/script\\\\u003e":"\\\\u00e9"}'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed_bytes(config: ModelConfig) -> int:
    """About how many bytes the packed weights have: one for each parameter, in base64, without the tokenizer."""
    return config.parameter_count() * 4 // 3
