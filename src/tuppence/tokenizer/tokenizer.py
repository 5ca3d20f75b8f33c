"""`Tokenizer`: text to ids and back, at the speed of tiktoken.

Used by all code that handles text. The vocabulary comes from `trainer`, or from files (`folders`, `imports`).
`reference` defines in plain code what `encode` computes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tiktoken

from tuppence.core.console import warn
from tuppence.core.errors import InputError
from tuppence.storage import stage_run
from tuppence.tokenizer import huggingface
from tuppence.tokenizer.chat_template import chat_template_with
from tuppence.tokenizer.folders import FolderContents, read_folder
from tuppence.tokenizer.patterns import SplitPattern, without_surrogates
from tuppence.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

if TYPE_CHECKING:
    from tuppence.tokenizer.foreign_template import ForeignTemplate

LONG_WHITE_SPACE = 500_000
"""tiktoken's regular expressions panic on a million characters of white space in a row."""


class Tokenizer:
    """A byte-level BPE tokenizer: every text has ids, and the ids of a text decode to that text.

    A lone surrogate is not a character: it is encoded as U+FFFD. The name of a special token in a text is ordinary
    text unless `allow_special` is set, so that no user can end a document by writing its name.

    Example:
        >>> from tuppence.tokenizer import train_tokenizer
        >>> tokenizer = train_tokenizer(["the cat, the hat"], vocab_size=260)
        >>> tokenizer.decode(tokenizer.encode("the bat"))
        'the bat'

    Attributes:
        vocabulary: everything that determines the ids.
        chat_template: the Jinja source in the folder's files; None in base models.
        end_of_text_name: the special token that separates documents and ends an answer: `<|endoftext|>`, or the one
            that the folder's files name; None if there is none.
        stop_ids: the ids that end a continuation: those in a model's files, or the end of text if there is one.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        chat_template: str | None = None,
        end_of_text_name: str | None = END_OF_TEXT,
        stop_ids: Sequence[int] | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.chat_template = chat_template
        self.end_of_text_name = end_of_text_name if end_of_text_name in vocabulary.special_tokens else None
        self.stop_ids = self.start_ids if stop_ids is None else list(stop_ids)

    # ---- files -------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """Reads a folder that holds `tokenizer.json` (or `vocab.json` and `merges.txt`), a run, or such a file.

        Raises:
            InputError: there is none, or it is not a byte-level BPE with a known split pattern.
        """
        return cls.of_folder(read_folder(stage_run(path)))

    @classmethod
    def of_folder(cls, contents: FolderContents) -> Tokenizer:
        """The tokenizer that a folder's files describe."""
        if contents.unknown_end is not None:
            used = contents.end_of_text_name or "none"
            warn(f"the tokenizer's eos_token {contents.unknown_end!r} is not in its vocabulary: {used} is used instead")
        return cls(contents.vocabulary, contents.chat_template, contents.end_of_text_name, contents.stop_ids)

    def save(self, folder: str | Path, *, pads: bool = False) -> None:
        """Writes `tokenizer.json` and `tokenizer_config.json`, which Hugging Face's libraries read too.

        Args:
            pads: name the end of text as the padding token, too: transformers needs one for batches of a classifier.
        """
        huggingface.write(self.vocabulary, Path(folder), self.chat_template, end=self.end_of_text_name, pads=pads)

    def with_chat_template(self) -> Tokenizer:
        """The same tokenizer with a chat template, for an instruction model; `save` writes it.

        A chat template that can be used is kept (`has_chat_template`), and the token after its responses becomes the
        end of text. Otherwise the template is ours, with this tokenizer's end of text.

        Raises:
            InputError: our template needs an end of text, and this vocabulary has none.
        """
        if self.foreign_template is not None:
            end = self.foreign_template.end
            stop_ids = list(dict.fromkeys([self.special_tokens[end], *self.stop_ids]))
            return Tokenizer(self.vocabulary, self.chat_template, end, stop_ids)
        if self.end_of_text_name is None:
            raise _without_end_of_text()
        return Tokenizer(self.vocabulary, chat_template_with(self.end_of_text_name), self.end_of_text_name)

    def with_end_of_text(self, name: str) -> Tokenizer:
        """The same tokenizer with another end of text; an unknown name becomes a new special token with the last id.

        Raises:
            InputError: the name is empty, or the name of an ordinary token.
        """
        if not name:
            raise InputError("the end of text has no name", "call it <|something|>")
        specials = {name: self.vocab_size, **self.vocabulary.special_tokens}
        return Tokenizer(replace(self.vocabulary, special_tokens=specials), self.chat_template, name)

    # ---- facts -------------------------------------------------------------------------------------------------

    @property
    def pattern(self) -> SplitPattern:
        """The pattern that cuts a text into words."""
        return self.vocabulary.pattern

    @property
    def vocab_size(self) -> int:
        """The number of ids, special tokens included."""
        return self.vocabulary.size

    @property
    def special_tokens(self) -> dict[str, int]:
        """The id of each special token."""
        return dict(self.vocabulary.special_tokens)

    @property
    def end_of_text(self) -> int:
        """The id of the end of text, which separates documents.

        Raises:
            InputError: this vocabulary has none.
        """
        if self.end_of_text_name is None:
            raise _without_end_of_text()
        return self.vocabulary.special_tokens[self.end_of_text_name]

    @property
    def start_ids(self) -> list[int]:
        """The ids before a new text: the end of text, or nothing if there is none."""
        return [] if self.end_of_text_name is None else [self.end_of_text]

    @property
    def fingerprint(self) -> str:
        """sha256 of everything that determines ids; `save` and `load` do not change it."""
        return self.vocabulary.fingerprint

    @property
    def has_chat_template(self) -> bool:
        """Whether conversations can be rendered: by our template, or by a foreign one that can be read without running
        it."""
        return self._is_ours or self.foreign_template is not None

    @cached_property
    def foreign_template(self) -> ForeignTemplate | None:
        """The chat template if it is not ours and can be used; any other template is only kept as text."""
        if self.chat_template is None or self._is_ours:
            return None
        from tuppence.tokenizer.foreign_template import ForeignTemplate  # imports jinja2, which few tokenizers need

        template = ForeignTemplate.read(self.chat_template, list(self.special_tokens), self.end_of_text_name)
        uses_eos = "eos_token" in self.chat_template
        return None if template is None or (uses_eos and template.end != self.end_of_text_name) else template

    @property
    def _is_ours(self) -> bool:
        end = self.end_of_text_name or END_OF_TEXT
        return self.chat_template is not None and self.chat_template.strip() == chat_template_with(end).strip()

    # ---- text to ids -------------------------------------------------------------------------------------------

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """The ids of a text.

        Args:
            text: any string.
            allow_special: encode the name of a special token in the text as that token.
        """
        if _has_long_white_space(text):
            return self._encode_by_words(text, allow_special)
        if allow_special:
            return self._encoding.encode(text, allowed_special="all")
        return self._encoding.encode_ordinary(text)

    def encode_to_array(self, text: str) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
        """The ids of a text, with special tokens as plain text: shape (tokens,).

        uint16 if the vocabulary has at most 65,536 ids, otherwise uint32.

        The fastest way for long texts: it makes no Python object per id, and other threads run meanwhile.
        """
        if _has_long_white_space(text):
            ids = np.array(self._encode_by_words(text, allow_special=False), dtype=np.uint32)
        else:
            ids = self._encoding.encode_to_numpy(without_surrogates(text), disallowed_special=())
        return ids.astype(np.uint16) if self.vocab_size <= 2**16 else ids.astype(np.uint32)

    def encode_batch(self, texts: list[str], threads: int = 2) -> list[list[int]]:
        """The ids of each text, with special tokens as plain text, on `threads` cores."""
        if any(map(_has_long_white_space, texts)):
            return [self.encode(text) for text in texts]
        return self._encoding.encode_ordinary_batch(texts, num_threads=threads)

    def _encode_by_words(self, text: str, allow_special: bool) -> list[int]:
        """The slow path, for texts that tiktoken's regular expression cannot cut: Python cuts them."""
        ids: list[int] = []
        specials = self.vocabulary.special_tokens if allow_special else {}
        for part in _split_at(text, specials):
            if part in specials:
                ids.append(specials[part])
                continue
            for word in self.pattern.split(without_surrogates(part)):
                ids.extend(self._encoding.encode_ordinary(word))
        return ids

    # ---- ids to text -------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int]) -> str:
        """The text of any ids; bytes that are not UTF-8 (half a character) become U+FFFD.

        Raises:
            InputError: an id is not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The exact bytes of any ids: a list, or an array or tensor with one dimension.

        Raises:
            InputError: an id is not in the vocabulary.
        """
        plain: Sequence[int] = ids.tolist() if hasattr(ids, "tolist") else ids
        try:
            return b"".join(map(self._bytes_of.__getitem__, plain))
        except KeyError as error:
            raise InputError(
                f"{error.args[0]!r} is not an id of this tokenizer, which has {self.vocab_size:,}",
                "was the text encoded with another tokenizer?",
            ) from error

    # ---- built on first use -------------------------------------------------------------------------------------

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        return tiktoken.Encoding(
            "tuppence",
            pat_str=self.pattern.expression,
            mergeable_ranks=dict(self.vocabulary.ranks),
            special_tokens=dict(self.vocabulary.special_tokens),
        )

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        specials = {identity: name.encode() for name, identity in self.vocabulary.special_tokens.items()}
        return {identity: token for token, identity in self.vocabulary.ranks.items()} | specials

    def __getstate__(self) -> dict[str, Any]:
        # the process that unpickles builds the rest again
        kept = ("vocabulary", "chat_template", "end_of_text_name", "stop_ids")
        return {name: getattr(self, name) for name in kept}

    def __repr__(self) -> str:
        return f"Tokenizer({self.vocab_size:,} tokens, {self.pattern.name}, {self.fingerprint[:12]})"


def _without_end_of_text() -> InputError:
    return InputError(
        f"the tokenizer has no {END_OF_TEXT} token, and its files name no other end of text",
        f"give it one: tuppence tokenizer import FOLDER --end-of-text '{END_OF_TEXT}' --out TOK",
    )


def _has_long_white_space(text: str) -> bool:
    """Whether `text` can contain `LONG_WHITE_SPACE` in a row: samples one place per `LONG_WHITE_SPACE` characters."""
    return any(text[place : place + 64].isspace() for place in range(LONG_WHITE_SPACE, len(text), LONG_WHITE_SPACE))


def _split_at(text: str, names: Collection[str]) -> list[str]:
    """Cuts `text` before and after every name; if several begin at one place, the first listed wins, as in tiktoken."""
    if not names:
        return [text]
    return re.split("(" + "|".join(map(re.escape, names)) + ")", text)
