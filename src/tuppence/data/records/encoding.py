"""Encodes conversations and preferences as token ids and training targets.

The text is rendered by `tokenizer.chat_template`, or by the base model's own template if that can be used
(`tokenizer.foreign_template`). The targets are the responses and the end-of-text token after each, so that the model
learns to stop. A special token inside a message is plain text. Tokens beyond the context length are cut and counted. An
example without any response token after the cut is refused, or left out and counted.

`data.buckets` does batching and padding.
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
    """One conversation, encoded for training.

    Attributes:
        ids: the input tokens, int64, (T,).
        targets: the token after each input, int64, (T,); `IGNORED_TARGET` if that token is not part of a response.
        truncated: number of tokens that were cut at the end to fit the context.
    """

    ids: Array
    targets: Array
    truncated: int


@dataclass(frozen=True)
class EncodedConversations:
    """All conversations of a file, encoded.

    Attributes:
        rows: the conversations with at least one response token, in order.
        truncated_rows, truncated_tokens: number of rows that were cut, and number of tokens that were cut in total.
        skipped_rows: number of rows that were left out, because no response token fits.
    """

    rows: list[EncodedConversation]
    truncated_rows: int
    truncated_tokens: int
    skipped_rows: int

    @property
    def lengths(self) -> Array:
        """Length of each row, in tokens."""
        return np.array([len(row.ids) for row in self.rows], dtype=np.int64)


@dataclass(frozen=True)
class EncodedPreference:
    """One preference: a prompt and two completions. The prompt and either completion together fit the context.

    Attributes:
        prompt_ids, chosen_ids, rejected_ids: int64, one dimension each; a completion that was not cut ends with
            `<|endoftext|>`.
        truncated: number of tokens of prompt and completions that were cut.
        cut_prompt, cut_answers: whether the prompt was cut, and whether a completion was cut.
    """

    prompt_ids: Array
    chosen_ids: Array
    rejected_ids: Array
    truncated: int
    cut_prompt: bool = False
    cut_answers: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether the two completions are equal after the cut: such a pair gives no training signal."""
        return bool(np.array_equal(self.chosen_ids, self.rejected_ids))


def encode_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """The ids of the prompt, up to the point at which the model generates its answer.

    Raises:
        InputError: the turns of user and assistant do not alternate.
    """
    return _encode(tokenizer, messages, add_generation_prompt=True)[0]


def encode_conversation(
    tokenizer: Tokenizer, messages: Sequence[Message], *, context_length: int
) -> EncodedConversation:
    """Encodes one conversation, cut at the right to `context_length` inputs.

    Raises:
        PromptTooLongError: no response token fits into the context.
        InputError: the turns of user and assistant do not alternate, there is no response, or the tokenizer has no
            end-of-text token.

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
        raise InputError("a conversation has no response", "the last turn must be the assistant's")
    ids = np.array(tokens[:-1], dtype=np.int64)[:context_length]
    targets = np.where(trained[1:], tokens[1:], IGNORED_TARGET).astype(np.int64)[:context_length]
    if (targets == IGNORED_TARGET).all():
        prompt = trained.index(True)
        raise PromptTooLongError(
            f"the prompt has {prompt:,} tokens, and the context is {context_length:,}: no token of the response fits",
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
    """Encodes every conversation of a file, and counts the rows and tokens that do not fit.

    Raises:
        PromptTooLongError: a prompt fills the context, and `skip_too_long` is false; or no conversation is left.
        InputError: as `encode_conversation`.
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
    """Encodes one preference, cut so that the prompt and the longer completion fit into `context_length` tokens.

    Up to half of the context is reserved for the completions; they use more if the prompt is short. Longer completions
    are cut at the right. The prompt is cut at the left, only as far as the completions require, because its end matters
    most.

    Raises:
        InputError: the prompt's turns are out of order, or the tokenizer has no end-of-text token.
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
    """Removes a final end-of-text token from a completion, as a reward model requires.

    Example:
        >>> without_end(np.array([5, 6, 0]), 0), without_end(np.array([5, 6]), 0)
        (array([5, 6]), array([5, 6]))
    """
    return ids[:-1] if len(ids) and ids[-1] == end_of_text else ids


def _encode(
    tokenizer: Tokenizer, messages: Sequence[Message], *, add_generation_prompt: bool
) -> tuple[list[int], list[bool]]:
    """Returns the ids of a conversation, and for each id whether it is trained."""
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
    """As `_encode`, with the base model's own template. Special tokens of the template become special ids; special
    tokens inside messages are plain text. A token that is partly inside a response is trained."""
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
    """For each token of a text, whether it overlaps a marked part.

    Args:
        parts: (number of bytes, mark) of the consecutive parts of the text.
    """
    if len({mark for _, mark in parts}) == 1:
        return [parts[0][1]] * len(ids)
    of_bytes = np.repeat([mark for _, mark in parts], [size for size, _ in parts])
    ends = np.cumsum([len(tokenizer.decode_bytes([identity])) for identity in ids])
    return [bool(of_bytes[start:end].any()) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # a lone surrogate becomes U+FFFD, also three bytes
