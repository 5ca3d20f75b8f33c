"""A folder of token shards: its files, and how they are read.

    DATA/
      index.json             the content: format version, tokenizer, counts, sha256 of every file; written last
      train-00000.bin …      tokens, little-endian uint16 (uint32 above 65,536 ids), no header
      val-00000.bin …
      documents-train.bin    the first token of every document: offsets in the split, little-endian uint64
      tokenizer/             the tokenizer, which a run copies

In a folder that `merge` made of parts, each part has a folder of its own, and index.json names its shards, such as
`part-1/train-00000.bin`. `prepare` writes shards; pretraining and evaluation read them through `TokenShards`.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json, sha256_file
from tuppence.data.shard_maps import ShardMaps
from tuppence.storage import stage

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

FORMAT = "tuppence-token-shards"
FORMAT_VERSION = 1
INDEX_NAME = "index.json"

_AGAIN = "make it again with 'tuppence data prepare'"


@dataclass(frozen=True)
class ShardInfo:
    """The entry of a shard in the index; `bytes` is the size of its UTF-8 text, not of the file."""

    file: str
    split: str
    tokens: int
    bytes: int
    documents: int
    sha256: str


@dataclass(frozen=True)
class SplitInfo:
    """The entry of a split in the index."""

    tokens: int
    bytes: int
    documents: int
    document_offsets: str
    document_offsets_sha256: str


@dataclass(frozen=True)
class PartInfo:
    """What a folder is a part of; `merge` puts the parts together.

    Attributes:
        number, of: the part, from 1, and the number of parts.
        corpus: the request for the whole corpus. It is the same for all parts.
        splits: the splits that the whole must have, separated by a space.
    """

    number: int
    of: int
    corpus: str
    splits: str


@dataclass(frozen=True)
class ShardIndex:
    """The content of index.json."""

    tokenizer_sha256: str
    vocab_size: int
    end_of_text: int
    dtype: str
    request: str
    duplicates: int
    skipped_rows: int
    splits: dict[str, SplitInfo]
    shards: list[ShardInfo]
    part: PartInfo | None = None
    format: str = FORMAT
    version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Returns the content in the order of the file: the format comes first."""
        content = asdict(self)
        if self.part is None:
            del content["part"]
        return {"format": content.pop("format"), "version": content.pop("version"), **content}


def dtype_of(vocab_size: int) -> str:
    """Returns the name of the smallest type that holds every id: "uint16" or, above 65,536 ids, "uint32"."""
    return "uint16" if vocab_size <= 2**16 else "uint32"


def on_disk(dtype: str) -> np.dtype[Any]:
    """Returns the type of the tokens in a shard file: little-endian on any machine."""
    return np.dtype(dtype).newbyteorder("<")


def tokenizer_folder(data: str | Path) -> Path:
    """Returns the folder of the tokenizer in a shard folder; it has Hugging Face's files."""
    return Path(data) / "tokenizer"


def read_index(folder: str | Path) -> ShardIndex:
    """Reads and checks index.json.

    Raises:
        InputError: the folder is not a finished shard folder, or has an unknown format version.
        CorruptFileError: a value is missing or has the wrong type.
    """
    folder = stage(folder)
    path = folder / INDEX_NAME
    if not path.exists():
        hint = "'tuppence data prepare INPUT... --tokenizer TOK --out DATA' makes one"
        raise InputError(f"{folder} is not a finished folder of token shards: it has no {INDEX_NAME}", hint)
    return index_of_json(read_json(path), str(path))


def index_of_json(content: Any, path: str) -> ShardIndex:
    """Checks the content of index.json.

    Args:
        path: for messages.

    Raises:
        InputError: the format version is unknown.
        CorruptFileError: a value is missing or has the wrong type.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CorruptFileError(f"{path} does not describe token shards", _AGAIN)
    if content.get("version") != FORMAT_VERSION:
        raise InputError(f"{path} has format version {content.get('version')}, we read {FORMAT_VERSION}", _AGAIN)
    try:
        splits = {name: _from_json(SplitInfo, value) for name, value in content["splits"].items()}
        shards = [_from_json(ShardInfo, value) for value in content["shards"]]
        part = None if content.get("part") is None else _from_json(PartInfo, content["part"])
        index: ShardIndex = _from_json(ShardIndex, {**content, "splits": splits, "shards": shards, "part": part})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CorruptFileError(f"{path} is not a valid index of token shards: {error}", _AGAIN) from error
    if index.dtype not in ("uint16", "uint32"):
        raise CorruptFileError(f"{path} names a type that token shards do not have: {index.dtype!r}", _AGAIN)
    for name in [shard.file for shard in shards] + [split.document_offsets for split in splits.values()]:
        if not _is_inside(name):
            raise CorruptFileError(f"{path} names a file outside its folder: {name!r}", _AGAIN)
    return index


def _is_inside(name: str) -> bool:
    """Whether a name of the index is a file of the folder, or of a part in the folder."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and not any(sign in part for sign in "\\:\0") for part in parts)
    return plain and len(parts) <= 2


def _from_json(kind: Any, value: dict[str, Any]) -> Any:
    """Builds a dataclass from JSON. Checks the type of its numbers and strings."""
    made = kind(**{one.name: value[one.name] for one in fields(kind) if one.name in value})
    plain = {"int": int, "str": str}
    for one in fields(kind):
        wanted = plain.get(str(one.type))
        if wanted and not isinstance(getattr(made, one.name), wanted):
            raise ValueError(f"'{one.name}' is not {one.type}")
    return made


@dataclass(frozen=True)
class TokenShards:
    """The tokens of one split as one long array.

    Attributes:
        folder: the folder of the shards.
        split: "train" or "val".
        index: the content of index.json.
    """

    folder: Path
    split: str
    index: ShardIndex
    _maps: ShardMaps = field(repr=False)
    _ends: np.ndarray[Any, Any] = field(repr=False)

    @classmethod
    def open(
        cls, folder: Path | str, split: str = "train", *, verify: Literal["sha256", "size"] = "sha256"
    ) -> TokenShards:
        """Maps a split's shards into memory, after checking them.

        Args:
            folder: written by `prepare`.
            split: "train" or "val".
            verify: "sha256" reads every shard once (1 to 2 GB/s) and finds changed bits; "size" only finds truncated
                files, for corpora that are too large for that.

        Raises:
            InputError: there is no such folder or split.
            CorruptFileError: a shard is missing, truncated or damaged.
        """
        folder = stage(folder)
        index = read_index(folder)
        if split not in index.splits:
            raise InputError(
                f"{folder} has no split '{split}' (it has {', '.join(index.splits)})",
                "prepare the data with --val FILE or --val-fraction F" if split == "val" else _AGAIN,
            )
        shards = [shard for shard in index.shards if shard.split == split]
        for shard in shards:
            verify_shard(folder, shard, index.dtype, full=verify == "sha256")
        maps = ShardMaps([folder / shard.file for shard in shards], on_disk(index.dtype))
        ends = np.array(list(accumulate(shard.tokens for shard in shards)), dtype=np.int64)
        return cls(folder, split, index, maps, ends)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def num_tokens(self) -> int:
        """Number of tokens of this split, including the end-of-text tokens."""
        return len(self)

    @property
    def num_bytes(self) -> int:
        """UTF-8 bytes of this split's text: the divisor of bits per byte."""
        return self.index.splits[self.split].bytes

    @property
    def num_documents(self) -> int:
        """Number of documents of this split; each ends with one end-of-text token."""
        return self.index.splits[self.split].documents

    @property
    def vocab_size(self) -> int:
        """Number of ids of the tokenizer, including special tokens."""
        return self.index.vocab_size

    @property
    def end_of_text(self) -> int:
        """The id that ends every document."""
        return self.index.end_of_text

    @property
    def tokenizer_fingerprint(self) -> str:
        """sha256 of the tokenizer that made the tokens."""
        return self.index.tokenizer_sha256

    @property
    def fingerprint(self) -> str:
        """sha256 of the shards of this split and their tokenizer: equal for equal tokens."""
        parts = [shard.sha256 for shard in self.index.shards if shard.split == self.split]
        return hashlib.sha256("\n".join([self.tokenizer_fingerprint, *parts]).encode()).hexdigest()

    @property
    def document_offsets(self) -> np.ndarray[Any, Any]:
        """The first token of every document, as offsets in the split: uint64, ascending, the first one 0.

        Raises:
            CorruptFileError: the file is missing, truncated or damaged.
        """
        info = self.index.splits[self.split]
        path = self.folder / info.document_offsets
        if not path.exists() or path.stat().st_size != 8 * self.num_documents:
            raise CorruptFileError(f"{path} is missing or truncated", _AGAIN)
        if sha256_file(path) != info.document_offsets_sha256:
            raise CorruptFileError(f"{path} is damaged: its sha256 is not the one in {INDEX_NAME}", _AGAIN)
        return np.memmap(path, dtype="<u8", mode="r") if self.num_documents else np.zeros(0, np.uint64)

    def require_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Refuses a tokenizer that did not make these tokens.

        Raises:
            InputError: the fingerprints differ.
        """
        if tokenizer.fingerprint != self.tokenizer_fingerprint:
            raise InputError(
                f"{self.folder} was made by another tokenizer (sha256 {self.tokenizer_fingerprint[:12]}…, not"
                f" {tokenizer.fingerprint[:12]}…)",
                f"use the one in {tokenizer_folder(self.folder)}, or prepare the data again with this one",
            )

    def window(self, start: int, length: int) -> np.ndarray[Any, Any]:
        """Tokens `start` to `start + length` as int64, across shard borders.

        Raises:
            IndexError: the window is not inside the split.
        """
        if not 0 <= start <= start + length <= len(self):
            raise IndexError(f"window {start}..{start + length} of {len(self)} tokens")
        tokens = np.empty(length, dtype=np.int64)
        shard = int(np.searchsorted(self._ends, start, side="right"))
        filled = 0
        while filled < length:
            array = self._maps[shard]
            begin = start + filled - (int(self._ends[shard]) - len(array))
            part = array[begin : begin + length - filled]
            tokens[filled : filled + len(part)] = part
            filled += len(part)
            shard += 1
        return tokens


def verify_shard(folder: Path, info: ShardInfo, dtype: str, *, full: bool) -> None:
    """Checks the size of a shard, and its sha256 if `full`.

    Raises:
        CorruptFileError: the shard is missing, truncated or damaged.
    """
    path = folder / info.file
    wanted = info.tokens * np.dtype(dtype).itemsize
    if not path.exists():
        raise CorruptFileError(f"{path} is missing", _AGAIN)
    if path.stat().st_size != wanted:
        raise CorruptFileError(f"{path} is truncated: {path.stat().st_size:,} of {wanted:,} bytes", _AGAIN)
    if full and sha256_file(path) != info.sha256:
        raise CorruptFileError(f"{path} is damaged: its sha256 is not the one in {INDEX_NAME}", _AGAIN)
