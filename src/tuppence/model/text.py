"""Text in, text out: what lies between a tokenizer and `generate`.

A token is not a character and a stop string is not a token. New ids become bytes, bytes become text as soon as
their characters are whole, and text is let through as soon as it cannot be the beginning of a stop string any
more.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuppence.core.errors import InputError
from tuppence.model.generate import FinishReason, Seed, generate
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer


@dataclass(frozen=True)
class Completion:
    """One prompt and its continuation.

    Attributes:
        text: the continuation, without the stop string or the end of text that ended it.
        finish_reason: "stop" or "length" (`max_tokens` were made).
        prompt_tokens, completion_tokens: what was read and what was written, in tokens.
    """

    prompt: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


def check_stop(stop: Sequence[str]) -> None:
    """Refuses strings that cannot end a text.

    Raises:
        InputError: one is empty.
    """
    if "" in stop:
        raise InputError("a stop string is empty", "every text contains it: leave it out")


class TextStream:
    """One sequence's ids, one by one, become text that is safe to show.

    Args:
        decode_bytes: the bytes of one token, `tokenizer.decode_bytes`.
        stop: strings that end the text; they are never shown, not even in part.

    Attributes:
        stopped: a stop string has come.

    Example:
        >>> pieces = {0: b"caf", 1: b"\\xc3", 2: b"\\xa9\\nQ", 3: b": again"}
        >>> stream = TextStream(lambda ids: pieces[ids[0]], stop=["\\nQ:"])
        >>> [stream.push(id) for id in range(4)], stream.stopped
        (['caf', '', 'é', ''], True)
    """

    def __init__(self, decode_bytes: Callable[[list[int]], bytes], stop: Sequence[str] = ()) -> None:
        check_stop(stop)
        self.stopped = False
        self._decode_bytes = decode_bytes
        self._stop = tuple(stop)
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def push(self, token: int) -> str:
        """Takes one id; returns the text that is now safe, often one piece and sometimes none."""
        return self._release(self._characters.decode(self._decode_bytes([token])))

    def finish(self) -> str:
        """Nothing more will come: returns what was held back."""
        text = self._release(self._characters.decode(b"", final=True)) + self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        text, self._held = self._held + text, ""
        # of several stop strings the one that is complete first counts, however the text is cut into tokens
        matches = [(text.index(stop) + len(stop), text.index(stop)) for stop in self._stop if stop in text]
        if matches:
            self.stopped = True
            return text[: min(matches)[1]]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest beginning of `stop` that `text` ends with.

    Example:
        >>> _overlap("over and o", "overture")
        1
    """
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def generate_text(
    model: GPT,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
    stop: Sequence[str] = (),
    on_text: Callable[[int, str], None] | None = None,
    encoded: Sequence[Sequence[int]] | None = None,
) -> list[Completion]:
    """Continues every prompt, all of them at once; the tokenizer's stop ids end a continuation.

    Special tokens written in a prompt are plain text. An empty prompt starts a new text, as after the end of
    another.

    Args:
        stop: strings that end a continuation wherever they appear in it, also across tokens.
        on_text: called with (index of the prompt, piece of its continuation) as soon as the piece is safe to show.
        max_tokens, temperature, top_k, top_p, seed: as in `generate`.
        encoded: the prompts' ids, where they are more than their text: a conversation with the ends of its turns.

    Raises:
        InputError: as `generate`, or a stop string is empty.
    """
    if encoded is None:
        encoded = [tokenizer.encode(prompt) for prompt in prompts]
    encoded = [ids or tokenizer.start_ids for ids in encoded]
    streams = [TextStream(tokenizer.decode_bytes, stop) for _ in prompts]
    texts = [""] * len(prompts)

    def show(index: int, piece: str) -> None:
        texts[index] += piece
        if piece and on_text is not None:
            on_text(index, piece)

    def on_token(index: int, token: int) -> bool:
        show(index, streams[index].push(token))
        return streams[index].stopped

    generations = generate(
        model,
        encoded,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        stop_ids=tokenizer.stop_ids,
        on_token=on_token,
        vocab_size=tokenizer.vocab_size,
    )
    for index, stream in enumerate(streams):
        show(index, stream.finish())
    return [
        Completion(prompt, text, generation.finish_reason, len(ids), len(generation.ids))
        for prompt, text, generation, ids in zip(prompts, texts, generations, encoded, strict=True)
    ]
