"""Text of a conversation that remembers which message each part of it comes from. Used by the readers of templates."""

from __future__ import annotations

from typing import NamedTuple


class Piece(NamedTuple):
    """A stretch of a rendered conversation.

    Attributes:
        text: of the piece.
        message: the number of the message whose content it is; None for text of the template.
        special: whether it is a special token in the text of the template.
    """

    text: str
    message: int | None
    special: bool = False


class TracedText(tuple[Piece, ...]):
    """A string that remembers which message each part of it comes from."""

    @property
    def plain(self) -> str:
        return "".join(piece.text for piece in self)

    def stripped(self) -> TracedText:
        pieces = list(self)
        while pieces and not (text := pieces[0].text.lstrip()):
            del pieces[0]
        if pieces:
            pieces[0] = pieces[0]._replace(text=text)
        while pieces and not (text := pieces[-1].text.rstrip()):
            del pieces[-1]
        if pieces:
            pieces[-1] = pieces[-1]._replace(text=text)
        return TracedText(pieces)


def literal(text: str) -> TracedText:
    return TracedText([Piece(text, None)] if text else [])
