"""Chat templates of other models, read without running them.

The tokenizer files of a model that was tuned on conversations contain their format as a Jinja template. Jinja is a
programming language, and such a file is foreign input: it is never executed. `template_reader` parses it and walks its
syntax tree.

`ForeignTemplate.read` decides whether a template can be used. `data.records.encoding` turns its pieces into ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

from tuppence.core.errors import InputError
from tuppence.tokenizer.chat_template import Message
from tuppence.tokenizer.template_expressions import UnsupportedTemplateError
from tuppence.tokenizer.template_reader import TemplateReader
from tuppence.tokenizer.traced_text import Piece


@dataclass(frozen=True)
class ForeignTemplate:
    """A template that can be used.

    Attributes:
        end: the special token after each response.
    """

    end: str
    _reader: TemplateReader
    _special: re.Pattern[str]

    @classmethod
    def read(cls, source: str, special_tokens: Sequence[str], eos_token: str | None) -> ForeignTemplate | None:
        """Reads a template; returns None if it cannot be used.

        It can be used if it renders the sample conversations completely and in order, if the prompt is the beginning of
        the whole conversation up to the response, and if the same special token follows every response.

        Args:
            special_tokens: of the vocabulary.
            eos_token: the value of `eos_token` in the template.

        Example:
            >>> source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
            >>> source += "{% if add_generation_prompt %}<assistant>{% endif %}"
            >>> template = ForeignTemplate.read(source, ["</s>"], "</s>")
            >>> "".join(piece.text for piece in template.render([Message("user", "Hi")], add_generation_prompt=True))
            '<user>Hi</s><assistant>'
        """
        if not special_tokens:
            return None
        names = sorted(special_tokens, key=len, reverse=True)
        try:
            template = cls(
                "", TemplateReader(source, eos_token), re.compile("(" + "|".join(map(re.escape, names)) + ")")
            )
            end = template._check()
        except (UnsupportedTemplateError, InputError, jinja2.TemplateError, RecursionError):
            return None
        return cls(end, template._reader, template._special)

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[Piece]:
        """The text of a conversation, in pieces.

        Raises:
            InputError: the template refuses such messages, or needs a part of Jinja that is not supported for them.
        """
        try:
            found = self._reader.render(messages, add_generation_prompt)
        except (UnsupportedTemplateError, RecursionError) as error:
            raise InputError(
                f"the base's chat template cannot render this conversation: {error}",
                "remove the row from the file",
            ) from error
        written = {piece.message for piece in found}
        for number, message in enumerate(messages):
            if message.content.strip() and number not in written:
                raise InputError(
                    f"the base's chat template leaves out the {message.role}'s message",
                    "remove such messages from the file, or finetune another base",
                )
        pieces: list[Piece] = []
        for piece in found:
            if piece.message is not None:
                pieces.append(piece)
                continue
            parts = self._special.split(piece.text)
            pieces += [Piece(part, None, special=odd % 2 == 1) for odd, part in enumerate(parts) if part]
        return pieces

    def _check(self) -> str:
        """Renders sample conversations; returns the special token after the responses.

        Raises:
            UnsupportedTemplateError: they do not meet the conditions of `read`.
        """
        turns = [Message("user", "ab"), Message("assistant", "cd"), Message("user", "ef"), Message("assistant", "gh")]
        ends: set[str | None] = set()
        for count in (2, 4):
            whole = self.render(turns[:count], add_generation_prompt=False)
            prompt = self.render(turns[: count - 1], add_generation_prompt=True)
            order = [piece.message for piece in whole if piece.message is not None]
            texts = [piece.text for piece in whole if piece.message is not None]
            if order != list(range(count)) or texts != [turn.content for turn in turns[:count]]:
                raise UnsupportedTemplateError("a message is left out, repeated or changed")
            written, opening = ("".join(piece.text for piece in pieces) for pieces in (whole, prompt))
            if not written.startswith(opening + turns[count - 1].content):
                raise UnsupportedTemplateError("the prompt is not the text before the response")
            for place, piece in enumerate(whole):
                if piece.message is not None and turns[piece.message].role == "assistant":
                    ends.add(_first_special(whole[place + 1 :]))
        end = ends.pop() if len(ends) == 1 else None
        if end is None:
            raise UnsupportedTemplateError("no special token follows the responses")
        return end


def trained_pieces(pieces: Sequence[Piece], messages: Sequence[Message]) -> list[bool]:
    """For each piece, whether a model is trained on it: a response, or the special token after one."""
    trained: list[bool] = []
    learning = False
    for piece in pieces:
        if piece.message is not None:
            message = messages[piece.message]
            learning = message.role == "assistant" and message.trained
        trained.append(learning)
        learning = learning and not piece.special
    return trained


def _first_special(pieces: Sequence[Piece]) -> str | None:
    """The special token at the beginning of the pieces."""
    return pieces[0].text if pieces and pieces[0].special else None
