"""Reads the tokenizer of a Hugging Face folder: the vocabulary with added tokens, the end of text, the ids that end a
continuation, and the chat template.

Reads the same files as transformers 5, in the same order, with the same result. `huggingface_reader` reads the
vocabulary itself; `Tokenizer.load` and `imports` call `read_folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.core.errors import InputError, naming
from tuppence.core.run import Run
from tuppence.tokenizer import huggingface_reader
from tuppence.tokenizer.huggingface import CONFIG_FILE, TEMPLATE_FILE, TOKENIZER_FILE
from tuppence.tokenizer.huggingface_reader import AddedToken
from tuppence.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

MODEL_FILE, GENERATION_FILE = "config.json", "generation_config.json"
MAP_FILE, ADDED_FILE = "special_tokens_map.json", "added_tokens.json"

PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
"""The older layouts: a vocabulary and its merges, by transformers' names and by OpenAI's."""


@dataclass(frozen=True)
class FolderContents:
    """A tokenizer as a folder describes it.

    Attributes:
        vocabulary: with the added tokens.
        chat_template: its source; None if there is none.
        end_of_text_name: the special token that ends a text; None if there is none.
        stop_ids: the ids that end a continuation.
        unknown_end: an end of text that the files name but the vocabulary lacks.
    """

    vocabulary: Vocabulary
    chat_template: str | None
    end_of_text_name: str | None
    stop_ids: tuple[int, ...]
    unknown_end: str | None


def holds_tokenizer(folder: Path) -> bool:
    """Whether a folder has a tokenizer in a layout that can be read."""
    return (folder / TOKENIZER_FILE).exists() or _pair_in(folder) is not None


def read_folder(path: Path) -> FolderContents:
    """Reads a folder, or the model of a run; a `tokenizer.json` with the other files of its folder; or such a file with
    another name, alone.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if path.is_dir() and not (path / TOKENIZER_FILE).exists():
        pair, model = _pair_in(path), Run(path).model
        if pair is not None:
            return read_pair(*pair)
        if not holds_tokenizer(model):
            raise InputError(
                f"{path} holds no {TOKENIZER_FILE}",
                "give the folder that `tuppence tokenizer train` wrote, or a run or model folder with a tokenizer",
            )
        return read_folder(model)
    file = path / TOKENIZER_FILE if path.is_dir() else path
    beside = _Settings.read(file.parent if file.name == TOKENIZER_FILE else None)
    return beside.contents(huggingface_reader.read_tokenizer_json(file, beside.added_tokens))


def read_pair(vocab: Path, merges: Path) -> FolderContents:
    """Reads a vocabulary and its merges; if both have their usual names, with the other files of their folder.

    Raises:
        InputError: a file is missing, malformed, or does not belong to the other.
    """
    usual = vocab.parent == merges.parent and (vocab.name, merges.name) in PAIRS
    beside = _Settings.read(vocab.parent if usual else None, alone=True)
    return beside.contents(huggingface_reader.read_vocab_and_merges(vocab, merges, beside.added_tokens))


def _pair_in(folder: Path) -> tuple[Path, Path] | None:
    for vocab, merges in PAIRS:
        if (folder / vocab).exists() and (folder / merges).exists():
            return folder / vocab, folder / merges
    return None


@dataclass(frozen=True)
class _Settings:
    """What the other files of a folder say about its vocabulary.

    Attributes:
        added_tokens: the tokens that were added to the vocabulary, in the form of `tokenizer.json`.
        eos_token: the end of text by its name; None if no file names it.
        eos_ids: the ids of `eos_token_id`, for each file that can have it, the deciding one first.
        chat_template: its source; None if there is none.
    """

    added_tokens: list[AddedToken]
    eos_token: str | None
    eos_ids: list[list[int]]
    chat_template: str | None

    @classmethod
    def read(cls, folder: Path | None, *, alone: bool = False) -> _Settings:
        """Reads the files.

        Args:
            folder: None if the vocabulary is read without other files.
            alone: whether the vocabulary's files hold nothing else (vocab.json and merges.txt).

        Raises:
            InputError: a file is malformed, or puts something before every text.
        """
        config = _json(folder, CONFIG_FILE)
        named = config if "added_tokens_decoder" in config else config | _json(folder, MAP_FILE)
        decoder = config.get("added_tokens_decoder")
        with naming(f"{folder}/{CONFIG_FILE}"):
            _refuse_changes_of_text(config, alone=alone)
            added = _decoder_tokens(decoder) if isinstance(decoder, dict) else None
        if added is None:
            special = set(map(_content, _flat(named.values())))
            added = [
                {"content": name, "id": identity, "special": name in special}
                for name, identity in _json(folder, ADDED_FILE).items()
            ]
        ends = [_ids(_json(folder, file).get("eos_token_id")) for file in (GENERATION_FILE, MODEL_FILE)]
        template = _template(config.get("chat_template"))
        if folder is not None and (folder / TEMPLATE_FILE).exists():
            template = "\n".join(huggingface_reader.read_lines(folder / TEMPLATE_FILE))
        return cls(added, _content(named.get("eos_token")), ends, template)

    def contents(self, vocabulary: Vocabulary) -> FolderContents:
        """Returns the tokenizer of a vocabulary that has the added tokens."""
        end, unknown = self._end_of_text(vocabulary)
        return FolderContents(vocabulary, self.chat_template, end, self._stop_ids(vocabulary, end), unknown)

    def _end_of_text(self, vocabulary: Vocabulary) -> tuple[str | None, str | None]:
        """Returns the special token that ends a text, and the end of text that the files name if the vocabulary lacks
        it.

        `eos_token_id` of `generation_config.json` and `config.json` comes first, as in transformers' `generate`, then
        `eos_token`, then `<|endoftext|>`. An ordinary token cannot end a document, because a text can contain it.
        """
        specials = vocabulary.special_tokens
        by_id = {identity: name for name, identity in specials.items()}
        name = next((by_id[one] for ids in self.eos_ids for one in ids if one in by_id), None)
        if name is not None:
            return name, None
        if self.eos_token in specials:
            return self.eos_token, None
        return (END_OF_TEXT if END_OF_TEXT in specials else None), self.eos_token

    def _stop_ids(self, vocabulary: Vocabulary, end: str | None) -> tuple[int, ...]:
        """All ids of `eos_token_id`, special or not, as in transformers' `generate`; otherwise the end of text."""
        for ids in self.eos_ids:
            known = tuple(dict.fromkeys(one for one in ids if 0 <= one < vocabulary.size))
            if known:
                return known
        return () if end is None else (vocabulary.special_tokens[end],)


def _json(folder: Path | None, name: str) -> dict[str, Any]:
    """The object in a JSON file; an empty one if the file is absent or holds something else."""
    if folder is None or not (folder / name).exists():
        return {}
    values = files.read_json(folder / name)
    return values if isinstance(values, dict) else {}


def _refuse_changes_of_text(config: Mapping[str, Any], *, alone: bool) -> None:
    """Refuses a config by which transformers prepends something to every text."""
    is_gpt2 = alone or str(config.get("tokenizer_class", "")).startswith("GPT2")
    for key, applies, what in (
        ("add_prefix_space", is_gpt2, "a space"),
        ("add_bos_token", alone, "the beginning-of-text token"),
    ):
        if applies and config.get(key) is True:
            raise InputError(
                f"{key} puts {what} before every text",
                f'set "{key}": false in a copy of the folder, and write it into the texts that need it',
            )


def _decoder_tokens(decoder: Mapping[str, Any]) -> list[AddedToken]:
    """The added tokens of `added_tokens_decoder`, which maps ids to tokens."""
    found = [(written, token) for written, token in decoder.items() if isinstance(token, dict)]
    if len(found) < len(decoder) or not all(written.isdecimal() for written, _ in found):
        raise InputError("added_tokens_decoder does not map ids to tokens", "restore the file")
    return [{**token, "id": int(written)} for written, token in found]


def _flat(values: Any) -> list[Any]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _content(token: Any) -> str | None:
    """The text of a token that files write as a string, or as an object with its flags."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None


def _ids(named: Any) -> list[int]:
    return [one for one in _flat([named]) if type(one) is int]


def _template(template: Any) -> str | None:
    """The key `chat_template` of `tokenizer_config.json`; of several templates, the one called "default"."""
    if isinstance(template, list):
        named = [entry for entry in template if isinstance(entry, dict) and entry.get("name") == "default"]
        template = named[0].get("template") if named else None
    return template if isinstance(template, str) else None
