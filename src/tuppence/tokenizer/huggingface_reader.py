"""Reads Hugging Face's `tokenizer.json`, and the older `vocab.json` + `merges.txt`.

Accepts byte-level BPE with one of our split patterns that does not change a text before it is cut; the error for
anything else names the key. No regular expression from a file is ever compiled. `folders` reads the other files of a
tokenizer's folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuppence.core import files, git_lfs
from tuppence.core.errors import InputError, naming
from tuppence.tokenizer import byte_alphabet
from tuppence.tokenizer.patterns import GPT2, PATTERNS, SplitPattern
from tuppence.tokenizer.reference import recover_merges
from tuppence.tokenizer.vocabulary import Merge, Vocabulary, check_bytes, name_of

AddedToken = Mapping[str, Any]
"""A token that was added to the vocabulary, as in `tokenizer.json`: `id`, `content`, `special` and flags."""

_OTHER_SPELLINGS = {
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": GPT2,
}
"""Other spellings of our patterns that exist in published files."""

_LOOKS_SPECIAL = re.compile(r"<.+>|\[.+\]", re.DOTALL)


def read_tokenizer_json(path: Path, added: Sequence[AddedToken] = ()) -> Vocabulary:
    """The vocabulary of a `tokenizer.json`.

    Args:
        added: tokens that other files add; those that the file has, too, are ignored.

    Raises:
        InputError: the file is missing, malformed, or not byte-level BPE with one of our patterns.
    """
    document = files.read_json(path)
    with naming(path):
        return parse_document(document, added)


def read_vocab_and_merges(vocab_path: Path, merges_path: Path, added: Sequence[AddedToken] = ()) -> Vocabulary:
    """The vocabulary of GPT-2's `encoder.json` + `vocab.bpe`, or of `vocab.json` + `merges.txt`.

    The formats are equal. The pattern is GPT-2's, because these files cannot name another.

    Args:
        added: tokens that other files add.

    Raises:
        InputError: a file is missing, malformed, or does not belong to the other.
    """
    tokens = _parse_vocab(files.read_json(vocab_path), vocab_path.name)
    merges: list[Merge] = []
    for number, line in enumerate(read_lines(merges_path), start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        merges.append(_parse_merge(line, f"{merges_path}, line {number}"))
    with naming(f"{vocab_path} + {merges_path.name}"):
        return _build(tokens, merges, GPT2, _parse_added(list(added)))


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file of bounded size, without their line ends.

    Raises:
        InputError: the file is missing, too large, or not UTF-8.
    """
    try:
        if path.stat().st_size > files.JSON_LIMIT_BYTES:
            raise InputError(f"{path} has more than {files.JSON_LIMIT_BYTES:,} bytes", "is it the right file?")
        content = path.read_bytes()
        if content.startswith(git_lfs.BEGINNING):
            raise git_lfs.pointer_error(path)
        # not splitlines(): a token can contain U+0085 or U+2028
        return content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start:,})", "is it the right file?") from error


def parse_document(document: Any, added: Sequence[AddedToken] = ()) -> Vocabulary:
    model = _part(document, "model", dict)
    if model.get("type", "BPE") != "BPE":
        raise InputError(f"its model is {model['type']!r}, not BPE", "only byte-level BPE can be used")
    for key, harmless in (
        ("dropout", (None, 0, 0.0)),
        ("continuing_subword_prefix", (None, "")),
        ("end_of_word_suffix", (None, "")),
        ("byte_fallback", (None, False)),
    ):
        if model.get(key) not in harmless:
            raise InputError(f"model.{key} is {model[key]!r}", "only byte-level BPE without it can be used")
    if not _changes_nothing(document.get("normalizer")):
        raise InputError(
            f"it has a normalizer ({_type_of(document['normalizer'])}), which changes texts before they are cut",
            "only tokenizers that decode to the exact text can be used",
        )
    _check_post_processor(document.get("post_processor"))
    pattern = _find_pattern(document.get("pre_tokenizer"))
    tokens = _parse_vocab(model.get("vocab"), "model.vocab")
    merges = [
        _parse_merge(merge, f"model.merges, entry {row}")
        for row, merge in enumerate(_part(model, "merges", list, "model."))
    ]
    own = document.get("added_tokens") or []
    return _build(tokens, merges, pattern, _parse_added([*own, *_others(own, added)] if isinstance(own, list) else own))


def _others(own: Sequence[Any], added: Sequence[AddedToken]) -> list[AddedToken]:
    """The added tokens that a document lacks.

    Raises:
        InputError: the document has one of them with another id.
    """
    ids = {str(token.get("content")): token.get("id") for token in own if isinstance(token, dict)}
    for token in added:
        name = str(token.get("content"))
        if ids.get(name, token["id"]) != token["id"]:
            raise InputError(
                f"the added token {name_of(name)} has the id {ids[name]} and, in another file of the folder,"
                f" {token['id']}",
                "every token needs one id: remove the wrong one",
            )
    return [token for token in added if str(token.get("content")) not in ids]


def _changes_nothing(normalizer: Any) -> bool:
    """Whether a normalizer leaves every text as it is."""
    if normalizer is None:
        return True
    if not isinstance(normalizer, dict):
        return False
    if normalizer.get("type") == "Sequence":
        steps = normalizer.get("normalizers")
        return isinstance(steps, list) and all(map(_changes_nothing, steps))
    return normalizer == {"type": "Strip", "strip_left": False, "strip_right": False}


def _part(parent: Any, key: str, kind: type, where: str = "") -> Any:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, kind):
        raise InputError(
            f"{where}{key} is missing or malformed",
            "is it a tokenizer.json of Hugging Face's tokenizers? a vocabulary needs its merges.txt beside it",
        )
    return value


def _type_of(step: Any) -> Any:
    return step.get("type") if isinstance(step, dict) else step


def _find_pattern(pre_tokenizer: Any) -> SplitPattern:
    """The pattern of a `pre_tokenizer`: ByteLevel with its own (GPT-2's), or Split with one of ours, then ByteLevel."""
    steps: list[Any] = [pre_tokenizer]
    if _type_of(pre_tokenizer) == "Sequence":
        steps = _part(pre_tokenizer, "pretokenizers", list, "pre_tokenizer.")
    byte_level = steps[-1] if steps else None
    if not isinstance(byte_level, dict) or _type_of(byte_level) != "ByteLevel":
        raise InputError(
            f"its pre_tokenizer ends in {_type_of(byte_level)!r}, not ByteLevel", "only byte-level BPE can be used"
        )
    if byte_level.get("add_prefix_space"):
        raise InputError(
            "its pre_tokenizer puts a space before every text (add_prefix_space)",
            "only tokenizers that decode to the exact text can be used",
        )
    uses_own = byte_level.get("use_regex", True)
    if len(steps) == 1 and uses_own:
        return GPT2
    if len(steps) == 2 and not uses_own and _type_of(steps[0]) == "Split":
        expression = steps[0].get("pattern")
        expression = expression.get("Regex") if isinstance(expression, dict) else None
        known = {pattern.published: pattern for pattern in PATTERNS.values()}
        known |= {pattern.expression: pattern for pattern in PATTERNS.values()} | _OTHER_SPELLINGS
        plain = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
        if isinstance(expression, str) and plain and expression in known:
            return known[expression]
    raise InputError("its pre_tokenizer cuts texts by an unknown pattern", f"known patterns: {', '.join(PATTERNS)}")


def _check_post_processor(post_processor: Any) -> None:
    """Refuses steps that add tokens to a text. ByteLevel only changes offsets."""
    steps: list[Any] = [post_processor]
    if _type_of(post_processor) == "Sequence":
        steps = _part(post_processor, "processors", list, "post_processor.")
    for step in steps:
        if step is None or _type_of(step) == "ByteLevel":
            continue
        if _type_of(step) == "TemplateProcessing" and not step.get("special_tokens"):
            continue
        raise InputError(
            f"its post_processor ({_type_of(step)}) adds tokens to every text",
            'set "post_processor": null in a copy of the file, and add them to the texts that need them',
        )


def _parse_vocab(vocab: Any, where: str) -> dict[str, int]:
    if not isinstance(vocab, dict) or not vocab:
        raise InputError(f"{where} holds no vocabulary", "is it the right file?")
    for token, identity in vocab.items():
        if type(identity) is not int:
            raise InputError(f"{where}: the id of {name_of(token)} is {identity!r}", "ids are whole numbers")
    return vocab


def _parse_merge(merge: Any, where: str) -> Merge:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not (isinstance(parts, list) and list(map(type, parts)) == [str, str] and all(parts)):
        raise InputError(f"{where}: {merge!r} is not a merge of two tokens", "restore the file")
    try:
        return byte_alphabet.to_bytes(parts[0]), byte_alphabet.to_bytes(parts[1])
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.hint) from error


def _parse_added(added: Any) -> dict[str, int]:
    specials: dict[str, int] = {}
    for row, token in enumerate(added if isinstance(added, list) else [added]):
        name = _part(token, "content", str, f"added_tokens, entry {row}: ")
        identity = _part(token, "id", int, f"added_tokens, {name_of(name)}: ")
        for key in ("single_word", "lstrip", "rstrip"):
            if token.get(key):
                raise InputError(
                    f"the added token {name_of(name)} has {key}, which changes the text around it",
                    f"set {key} to false in a copy of the file",
                )
        if token.get("special") is False and not _LOOKS_SPECIAL.fullmatch(name):
            raise InputError(
                f"the added token {name_of(name)} is not a special token: every text that contains it is cut there",
                "only byte-level BPE without such tokens can be used",
            )
        if name in specials:
            raise InputError(f"the added token {name_of(name)} is given twice", "remove one of them")
        specials[name] = identity
    return specials


def _build(
    tokens: Mapping[str, int], merges: Sequence[Merge], pattern: SplitPattern, added: Mapping[str, int]
) -> Vocabulary:
    """Sorts the entries of a file into bytes, merged tokens and special tokens."""
    specials = dict(added)
    ranks: dict[bytes, int] = {}
    made = {left + right for left, right in merges}
    for written, identity in tokens.items():
        if specials.get(written, identity) != identity:
            raise InputError(
                f"the token {name_of(written)} has the id {identity} and, as an added token, {specials[written]}",
                "every token needs one id",
            )
        if written in specials:
            continue
        try:
            token = byte_alphabet.to_bytes(written)
        except InputError:
            token = b""
        if len(token) == 1 or token in made:
            ranks[token] = identity
        elif _LOOKS_SPECIAL.fullmatch(written):
            specials[written] = identity
        else:
            raise InputError(
                f"the token {name_of(written)} (id {identity}) is neither a byte nor made by a merge",
                "the files do not belong together, or it is not a byte-level BPE vocabulary",
            )
    if len(made) < len(merges):
        merges = _live_merges(ranks, merges)
    return Vocabulary(ranks, merges, pattern, specials)


def _live_merges(ranks: Mapping[bytes, int], merges: Sequence[Merge]) -> list[Merge]:
    """The merge that produces each token, from a file that lists every possible pair for a token.

    Files that were converted from ranks do so. The ranks determine which of the pairs is merged.

    Raises:
        InputError: the file does not list that pair.
    """
    check_bytes(ranks)
    listed = set(merges)
    live = recover_merges(ranks)
    for left, right in live:
        if (left, right) not in listed:
            raise InputError(
                f"the merge {name_of(left)} + {name_of(right)} is not listed, but the ids require it",
                "readers of such a vocabulary disagree on its ids: restore the file",
            )
    return live
