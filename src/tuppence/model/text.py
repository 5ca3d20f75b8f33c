"""Generates text: `Decoder` on ids, with a tokenizer and stop strings around it.

A token can be part of a character, and a stop string can span several tokens. New ids become bytes. Bytes become text
when their characters are complete. Text is returned when it can no longer be the beginning of a stop string.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tuppence.model.generate import Decoder, FinishReason, Generation
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.tokenizer import Tokenizer


@dataclass(frozen=True)
class Completion:
    """One prompt and its continuation.

    Attributes:
        text: the continuation, without the stop string or the end of text that ended it.
        finish_reason: "stop" or "length" (`max_tokens` were made).
        prompt_tokens, completion_tokens: number of tokens in the prompt and in the continuation.
    """

    prompt: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


class TextStream:
    """Turns one sequence's ids, one by one, into text that is safe to show.

    Args:
        decode_bytes: returns the bytes of token ids, such as `tokenizer.decode_bytes`.
        stop: strings that end the text; no part of them is returned.

    Attributes:
        stopped: whether a stop string was found.

    Example:
        >>> pieces = {0: b"caf", 1: b"\\xc3", 2: b"\\xa9\\nQ", 3: b": again"}
        >>> stream = TextStream(lambda ids: pieces[ids[0]], stop=["\\nQ:"])
        >>> [stream.push(id) for id in range(4)], stream.stopped
        (['caf', '', 'é', ''], True)
    """

    def __init__(self, decode_bytes: Callable[[list[int]], bytes], stop: Sequence[str] = ()) -> None:
        self.stopped = False
        self._decode_bytes = decode_bytes
        self._stop = tuple(stop)
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def push(self, token: int) -> str:
        """Takes one id; returns the text that is now safe to show, which can be empty."""
        return self._release(self._characters.decode(self._decode_bytes([token])))

    def finish(self) -> str:
        """Returns the text that was held back. Call it at the end of the sequence."""
        text = self._release(self._characters.decode(b"", final=True)) + self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        text, self._held = self._held + text, ""
        # the stop string that is complete first counts, so that the result does not depend on the token boundaries
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


class TextDecoder:
    """Continues a batch of prompts as text; iterate over it for (index of the prompt, piece of its continuation).

    A piece never ends within a character and never holds part of a stop string. The tokenizer's stop ids end a
    continuation. A server calls `step` once for each token, and `cancel` when a client disconnects.

    Args:
        prompts: token ids, at least one each.
        sampling: one for all prompts, or one for each.

    Attributes:
        texts: the text generated so far, for each prompt.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling | Sequence[Sampling],
    ) -> None:
        self._decoder = Decoder(model, prompts, sampling, stop_ids=tokenizer.stop_ids, vocab_size=tokenizer.vocab_size)
        self._streams = [TextStream(tokenizer.decode_bytes, one.stop) for one in self._decoder.samplings]
        self._open = set(range(len(prompts)))
        self.texts = [""] * len(prompts)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        while self._open:
            yield from self.step()

    def step(self) -> list[tuple[int, str]]:
        """Generates one more token for every unfinished prompt; returns the text that is now safe to show."""
        pieces = dict.fromkeys(sorted(self._open), "")
        tokens = [] if all(map(self._decoder.is_finished, pieces)) else self._decoder.step()
        for index, token in tokens:
            pieces[index] = self._streams[index].push(token)
            if self._streams[index].stopped:
                self._decoder.finish(index)
        for index in filter(self._decoder.is_finished, list(pieces)):
            pieces[index] += self._streams[index].finish()
            self._open.discard(index)
        for index, piece in pieces.items():
            self.texts[index] += piece
        return [(index, piece) for index, piece in pieces.items() if piece]

    def cancel(self, index: int) -> None:
        """Ends one continuation; its text is kept."""
        self._decoder.finish(index)
        self._open.discard(index)

    def generations(self) -> list[Generation]:
        """The ids of every continuation so far, and why it ended."""
        return self._decoder.generations()


def generate_text(
    model: GPT,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    sampling: Sampling | Sequence[Sampling],
    *,
    on_text: Callable[[int, str], None] | None = None,
) -> list[Completion]:
    """Continues every prompt, all of them at once.

    Special tokens written in a prompt are plain text. An empty prompt starts a new text, as after the end-of-text
    token.

    Args:
        sampling: one for all prompts, or one for each.
        on_text: called with (index of the prompt, piece of its continuation) as soon as the piece is safe to show.

    Raises:
        InputError: as `generate`.
    """
    encoded = [tokenizer.encode(prompt) or tokenizer.start_ids for prompt in prompts]
    decoder = TextDecoder(model, tokenizer, encoded, sampling)
    for index, piece in decoder:
        if on_text is not None:
            on_text(index, piece)
    return [
        Completion(prompt, text, generation.finish_reason, len(ids), len(generation.ids))
        for prompt, text, generation, ids in zip(prompts, decoder.texts, decoder.generations(), encoded, strict=True)
    ]
