"""How files write the bytes of a token as printable characters (GPT-2, `encoder.py`).

JSON stores text, and the bytes of a token are not always valid text. So each of the 256 bytes is written as a visible
character: the byte's own character if it is printable in Latin-1, otherwise the next one from U+0100 on. A space is
written Ġ.
"""

from __future__ import annotations

from tuppence.core.errors import InputError


def _alphabet() -> list[str]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    substitutes = iter(range(0x100, 0x200))
    return [chr(value if value in printable else next(substitutes)) for value in range(256)]


CHARACTER_OF_BYTE = _alphabet()

# str.translate and Latin-1 replace a Python loop over the 300,000 characters of a vocabulary: the characters of the
# alphabet become U+0000..U+00FF, and those below U+0100 that represent no byte become one that Latin-1 cannot encode
_TO_LATIN_1 = dict.fromkeys(range(256), "\uffff") | {
    ord(character): chr(value) for value, character in enumerate(CHARACTER_OF_BYTE)
}


def to_characters(token: bytes) -> str:
    """A token as files write it.

    Example:
        >>> to_characters(b" caf\\xc3\\xa9")
        'ĠcafÃ©'
    """
    return "".join([CHARACTER_OF_BYTE[value] for value in token])


def to_bytes(written: str) -> bytes:
    """The bytes of a token in the spelling of files.

    Raises:
        InputError: a character represents no byte.

    Example:
        >>> to_bytes("ĠcafÃ©")
        b' caf\\xc3\\xa9'
    """
    try:
        return written.translate(_TO_LATIN_1).encode("latin-1")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the token {written!r} holds {written[error.start]!r}, which represents no byte",
            "only byte-level BPE vocabularies (as GPT-2's) can be used",
        ) from error
