"""Reads tokenizers of other projects; the logic of `tuppence tokenizer import`.

Chooses the format by name and content, and reads OpenAI's `*.tiktoken` files. `huggingface_reader` reads Hugging Face's
formats.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

from tuppence.core.errors import InputError, naming
from tuppence.storage import stage
from tuppence.tokenizer import huggingface_reader
from tuppence.tokenizer.folders import read_pair
from tuppence.tokenizer.patterns import GPT2, GPT4, SplitPattern, find_pattern
from tuppence.tokenizer.tokenizer import Tokenizer
from tuppence.tokenizer.vocabulary import END_OF_TEXT, Vocabulary, name_of

_FORMATS = "give encoder.json and vocab.bpe, vocab.json and merges.txt, tokenizer.json, or one *.tiktoken"
_PATTERN_BY_NAME = {"r50k": GPT2, "p50k": GPT2, "gpt2": GPT2, "cl100k": GPT4, "gpt4": GPT4}
_PATTERN_BY_SIZE = {50_256: GPT2, 100_256: GPT4}


def import_tokenizer(paths: str | Path | Sequence[str | Path], pattern: str | None = None) -> Tokenizer:
    """A tokenizer from one `tokenizer.json`, `*.tiktoken` or folder, or from a vocabulary and its merges.

    Keeps the end of text and the chat template of the files.

    Args:
        paths: one path, or two: `encoder.json` + `vocab.bpe`, or `vocab.json` + `merges.txt`, in any order.
        pattern: the split pattern of a `*.tiktoken` file, which does not name it; by default, the file's name or number
            of ranks determines it. The other formats name theirs.

    Raises:
        InputError: the files cannot be read, or are not a byte-level BPE that can be used.
    """
    given = [stage(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if len(given) == 2:
        by_suffix = {path.suffix: path for path in given}
        merges = by_suffix.get(".bpe", by_suffix.get(".txt"))
        if ".json" in by_suffix and merges is not None:
            return _with_pattern(Tokenizer.of_folder(read_pair(by_suffix[".json"], merges)), pattern)
    if len(given) != 1:
        raise InputError(
            f"{', '.join(path.name for path in given)} are not the files of one tokenizer",
            _FORMATS,
        )
    path = given[0]
    if path.suffix == ".tiktoken":
        return Tokenizer(read_tiktoken(path, find_pattern(pattern) if pattern else None))
    if path.is_file() and path.suffix != ".json":
        raise InputError(f"{path} alone is no tokenizer", _FORMATS)
    return _with_pattern(Tokenizer.load(path), pattern)


def _with_pattern(tokenizer: Tokenizer, pattern: str | None) -> Tokenizer:
    if pattern and find_pattern(pattern) is not tokenizer.pattern:
        raise InputError(f"these files have the pattern {tokenizer.pattern.name}, not {pattern}", "leave --pattern out")
    return tokenizer


def read_tiktoken(path: Path, pattern: SplitPattern | None = None) -> Vocabulary:
    """The vocabulary of a `*.tiktoken` file: on each line a token in base64, and its rank.

    Such a file has no special tokens; `<|endoftext|>` gets the first free id. For r50k_base that is GPT-2's own id;
    OpenAI's cl100k_base skips 100256 and uses 100257.

    Raises:
        InputError: a line is malformed (the message has its number), or the pattern cannot be determined.
    """
    ranks: dict[bytes, int] = {}
    lines = huggingface_reader.read_lines(path)
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            encoded, rank = line.split(" ")
            token = base64.b64decode(encoded, validate=True)
            identity = int(rank)
        except (ValueError, binascii.Error) as error:
            raise InputError(
                f"{path}, line {number}: {line[:60]!r} is not a token in base64 and a rank", "restore the file"
            ) from error
        if token in ranks:
            raise InputError(f"{path}, line {number}: {name_of(token)} is given twice", "restore the file")
        ranks[token] = identity
    pattern = pattern or _guess_pattern(path, len(ranks))
    with naming(path):
        return Vocabulary.from_ranks(ranks, pattern, {END_OF_TEXT: len(ranks)})


def _guess_pattern(path: Path, rank_count: int) -> SplitPattern:
    if rank_count in _PATTERN_BY_SIZE:
        return _PATTERN_BY_SIZE[rank_count]
    for name, pattern in _PATTERN_BY_NAME.items():
        if name in path.name:
            return pattern
    raise InputError(f"the split pattern of {path} is unknown", "pass --pattern gpt2 or --pattern gpt4")
