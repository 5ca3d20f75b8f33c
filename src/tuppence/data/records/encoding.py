"""Conversations and preferences as ids: what the model reads, and what it is trained to write.

The text is that of `tokenizer.chat_template`, or of the base's own template where that can be used
(`tokenizer.foreign_template`). Only responses are trained, and the end of text behind each, so that the model learns to
end; a special token inside a text is plain text. What is longer than the
context is cut, and counted; an example of which no response is left is refused, or left out and counted.

Batches and padding are the business of `data.buckets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.core.errors import InputError
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.preferences import Preference
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message, check_turns, render

if TYPE_CHECKING:
    from tuppence.tokenizer.foreign_template import ForeignTemplate

Array = np.ndarray[Any, np.dtype[np.int64]]


class PromptTooLongError(InputError):
    """The context ends before the first response begins."""


@dataclass(frozen=True)
class EncodedConversation:
    """One conversation as training reads it.

    Attributes:
        ids: what the model sees, int64, (T,).
        targets: the token after each of them, int64, (T,); `IGNORED_TARGET` where that is not of a response.
        truncated: tokens at the end that did not fit into the context.
    """

    ids: Array
    targets: Array
    truncated: int


@dataclass(frozen=True)
class EncodedConversations:
    """A whole file of conversations.

    Attributes:
        rows: those of which a response is left, in order.
        truncated_rows, truncated_tokens: how many were cut, and by how much in all.
        skipped_rows: how many were left out, because nothing of a response fits.
    """

    rows: list[EncodedConversation]
    truncated_rows: int
    truncated_tokens: int
    skipped_rows: int

    @property
    def lengths(self) -> Array:
        """Of each row, in tokens."""
        return np.array([len(row.ids) for row in self.rows], dtype=np.int64)


@dataclass(frozen=True)
class EncodedPreference:
    """One preference: what the model reads, and two ways to go on. Prompt and completion together fit the context.

    Attributes:
        prompt_ids, chosen_ids, rejected_ids: int64, one dimension each; a completion that was not cut ends with
            `<|endoftext|>`.
        truncated: tokens of prompt and completions that did not fit.
        cut_prompt, cut_answers: which of them was cut.
    """

    prompt_ids: Array
    chosen_ids: Array
    rejected_ids: Array
    truncated: int
    cut_prompt: bool = False
    cut_answers: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether the two answers are the same as far as the model sees them: the pair says nothing."""
        return bool(np.array_equal(self.chosen_ids, self.rejected_ids))


def encode_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The ids after which the model writes its answer to the last user's turn.

    Raises:
        InputError: user and assistant do not speak in turns.
    """
    return _encode(tokenizer, messages, add_generation_prompt=True)[0]


def encode_conversation(
    tokenizer: Tokenizer, messages: Sequence[Message], *, context_length: int
) -> EncodedConversation:
    """One conversation, cut at the right to `context_length` inputs.

    Raises:
        PromptTooLongError: nothing of a response fits into the context.
        InputError: user and assistant do not speak in turns, there is no response, or the tokenizer has no end of text.

    Example:
        >>> from tuppence.tokenizer import train_tokenizer
        >>> tokenizer = train_tokenizer(["### Instruction: Response: Name a fruit. Plum."], vocab_size=270)
        >>> turns = [Message("user", "Name a fruit."), Message("assistant", "Plum.")]
        >>> encoded = encode_conversation(tokenizer, turns, context_length=256)
        >>> tokenizer.decode(encoded.targets[encoded.targets != IGNORED_TARGET])
        'Plum.<|endoftext|>'
    """
    tokens, trained = _encode(tokenizer, messages, add_generation_prompt=False)
    if not any(trained):
        raise InputError("a conversation without a response", "the last turn should be the assistant's")
    ids = np.array(tokens[:-1], dtype=np.int64)[:context_length]
    targets = np.where(trained[1:], tokens[1:], IGNORED_TARGET).astype(np.int64)[:context_length]
    if (targets == IGNORED_TARGET).all():
        prompt = trained.index(True)
        raise PromptTooLongError(
            f"the prompt has {prompt:,} tokens, and the context is {context_length:,}: nothing is left of the response",
            "use shorter prompts or a model with a longer context",
        )
    return EncodedConversation(ids, targets, truncated=len(tokens) - 1 - len(ids))


def encode_conversations(
    tokenizer: Tokenizer,
    conversations: Iterable[Sequence[Message]],
    *,
    context_length: int,
    skip_too_long: bool = True,
) -> EncodedConversations:
    """Every conversation of a file, and the count of what did not fit.

    Raises:
        PromptTooLongError: a prompt fills the context, and `skip_too_long` is false.
        InputError: as `encode_conversation`; or nothing is left.
    """
    rows: list[EncodedConversation] = []
    skipped = 0
    for number, messages in enumerate(conversations, start=1):
        try:
            rows.append(encode_conversation(tokenizer, messages, context_length=context_length))
        except PromptTooLongError as error:
            if not skip_too_long:
                raise PromptTooLongError(f"conversation {number:,}: {error.message}", error.hint) from error
            skipped += 1
    if not rows and skipped:
        raise PromptTooLongError(
            f"all {skipped:,} prompts are longer than the context of {context_length:,} tokens",
            "use shorter prompts or a model with a longer context",
        )
    cut = [row.truncated for row in rows if row.truncated]
    return EncodedConversations(rows, truncated_rows=len(cut), truncated_tokens=sum(cut), skipped_rows=skipped)


def encode_preference(tokenizer: Tokenizer, preference: Preference, *, context_length: int) -> EncodedPreference:
    """One preference, so cut that the prompt and the longer completion fit into `context_length` tokens.

    The completions may fill half of the context, or more where the prompt leaves it to them; beyond that they are cut
    at the right. The prompt is cut at the left, no further than they need: what was said last matters most.

    Raises:
        InputError: the prompt's turns are out of order, or the tokenizer has no end of text.
    """
    prompt = encode_prompt(tokenizer, preference.prompt)
    chosen, rejected = (
        [*tokenizer.encode(text.strip()), tokenizer.end_of_text] for text in (preference.chosen, preference.rejected)
    )
    reserved = min(max(len(chosen), len(rejected)), context_length // 2)
    kept = prompt[-(context_length - reserved) :]
    room = context_length - len(kept)
    return EncodedPreference(
        np.array(kept, dtype=np.int64),
        np.array(chosen[:room], dtype=np.int64),
        np.array(rejected[:room], dtype=np.int64),
        truncated=len(prompt) - len(kept) + sum(max(len(text) - room, 0) for text in (chosen, rejected)),
        cut_prompt=len(prompt) > len(kept),
        cut_answers=max(len(chosen), len(rejected)) > room,
    )


def without_end(ids: Array, end_of_text: int) -> Array:
    """A completion without the end of text, where it has one: what a reward model reads.

    Example:
        >>> without_end(np.array([5, 6, 0]), 0), without_end(np.array([5, 6]), 0)
        (array([5, 6]), array([5, 6]))
    """
    return ids[:-1] if len(ids) and ids[-1] == end_of_text else ids


def _encode(
    tokenizer: Tokenizer, messages: Sequence[Message], *, add_generation_prompt: bool
) -> tuple[list[int], list[bool]]:
    """The ids of a conversation, and of each whether it is trained."""
    if tokenizer.foreign_template is not None:
        return _encode_foreign(tokenizer, tokenizer.foreign_template, messages, add_generation_prompt)
    ids: list[int] = []
    trained: list[bool] = []
    for segment in render(messages, add_generation_prompt=add_generation_prompt):
        ids += tokenizer.encode(segment.text)
        if segment.ends:
            ids.append(tokenizer.end_of_text)
        trained += [segment.trained] * (len(ids) - len(trained))
    return ids, trained


def _encode_foreign(
    tokenizer: Tokenizer, template: ForeignTemplate, messages: Sequence[Message], add_generation_prompt: bool
) -> tuple[list[int], list[bool]]:
    """The same in the base's own template: the ids of the whole text, in which the special tokens that the template
    writes are special, and no others. A token that lies across the border of a response is trained."""
    from tuppence.tokenizer.foreign_template import trained_pieces

    check_turns(messages)
    pieces = template.render(messages, add_generation_prompt=add_generation_prompt)
    marks = trained_pieces(pieces, messages)
    ids: list[int] = []
    trained: list[bool] = []
    for special, run in groupby(zip(pieces, marks, strict=True), key=lambda marked: marked[0].special):
        marked = list(run)
        if special:
            ids += [tokenizer.special_tokens[piece.text] for piece, _ in marked]
            trained += [mark for _, mark in marked]
            continue
        found = tokenizer.encode("".join(piece.text for piece, _ in marked))
        ids += found
        trained += _marks_of_tokens(tokenizer, found, [(_bytes(piece.text), mark) for piece, mark in marked])
    return ids, trained


def _marks_of_tokens(tokenizer: Tokenizer, ids: Sequence[int], parts: Sequence[tuple[int, bool]]) -> list[bool]:
    """Of each token of a text whether it reaches into a marked part.

    Args:
        parts: (bytes, mark) of the parts of the text.
    """
    if len({mark for _, mark in parts}) == 1:
        return [parts[0][1]] * len(ids)
    of_bytes = np.repeat([mark for _, mark in parts], [size for size, _ in parts])
    ends = np.cumsum([len(tokenizer.decode_bytes([identity])) for identity in ids])
    return [bool(of_bytes[start:end].any()) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # a lone surrogate is encoded as U+FFFD, of three bytes, too
