"""Chat templates of other models, read without running them.

A model that was tuned on conversations keeps the form they had as a Jinja template in its tokenizer's files. Jinja is a
programming language, and such a file is foreign input: nothing of it is executed. jinja2's *parser* alone is used, and
the tree it returns is walked here (`_Reader`), for the part of the language that plain templates consist of: one loop
over the messages, conditions on roles, concatenation, `trim`, `set`. Everything else makes a template unsupported.
The walk keeps account of which text comes from which message, so that training knows what is a response; steps, sizes
and nesting are limited.

`ForeignTemplate.read` says whether a template can be used. `data.records.encoding` turns its pieces into ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes

from tuppence.core.errors import InputError
from tuppence.tokenizer.chat_template import Message

SOURCE_LIMIT_CHARACTERS = 32_768
STEPS_LIMIT = 50_000
"""Nodes that are looked at for one conversation, and as many again for each of its messages."""


class Piece(NamedTuple):
    """A stretch of a rendered conversation.

    Attributes:
        text: what is written.
        message: the number of the message that it is the content of; None for what the template writes.
        special: whether it is a special token of the vocabulary, written by the template.
    """

    text: str
    message: int | None
    special: bool = False


class UnsupportedTemplateError(Exception):
    """The template uses a part of Jinja that is not read here."""


@dataclass(frozen=True)
class ForeignTemplate:
    """A template that can be used.

    Attributes:
        end: the special token behind each response.
    """

    end: str
    _reader: _Reader
    _special: re.Pattern[str]

    @classmethod
    def read(cls, source: str, special_tokens: Sequence[str], eos_token: str | None) -> ForeignTemplate | None:
        """Reads a template; None where it cannot be used.

        It can where the sample conversations come out whole and in order, the prompt is what stands before the response
        in the whole conversation, and the same special token stands
        right behind every response.

        Args:
            special_tokens: of the vocabulary.
            eos_token: what `eos_token` means in the template.

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
            template = cls("", _Reader(source, eos_token), re.compile("(" + "|".join(map(re.escape, names)) + ")"))
            end = template._check()
        except (UnsupportedTemplateError, InputError, jinja2.TemplateError, RecursionError):
            return None
        return cls(end, template._reader, template._special)

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[Piece]:
        """The text of a conversation, in pieces.

        Raises:
            InputError: the template refuses such messages, or they lead to a part of it that is not read here.
        """
        try:
            found = self._reader.render(messages, add_generation_prompt)
        except (UnsupportedTemplateError, RecursionError) as error:
            raise InputError(
                f"the base's chat template cannot write this conversation ({error})",
                "leave the row out of the file",
            ) from error
        written = {piece.message for piece in found}
        for number, message in enumerate(messages):
            if message.content.strip() and number not in written:
                raise InputError(
                    f"the base's chat template leaves out the {message.role}'s message",
                    "take such messages out of the file, or finetune another base",
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
        """The end of the responses.

        Raises:
            UnsupportedTemplateError: sample conversations do not come out as they should.
        """
        turns = [Message("user", "ab"), Message("assistant", "cd"), Message("user", "ef"), Message("assistant", "gh")]
        ends: set[str | None] = set()
        for count in (2, 4):
            whole = self.render(turns[:count], add_generation_prompt=False)
            prompt = self.render(turns[: count - 1], add_generation_prompt=True)
            said = [piece.message for piece in whole if piece.message is not None]
            texts = [piece.text for piece in whole if piece.message is not None]
            if said != list(range(count)) or texts != [turn.content for turn in turns[:count]]:
                raise UnsupportedTemplateError("a message is left out, repeated or changed")
            written, asked = ("".join(piece.text for piece in pieces) for pieces in (whole, prompt))
            if not written.startswith(asked + turns[count - 1].content):
                raise UnsupportedTemplateError("the prompt is not what stands before the response")
            for place, piece in enumerate(whole):
                if piece.message is not None and turns[piece.message].role == "assistant":
                    ends.add(_first_special(whole[place + 1 :]))
        end = ends.pop() if len(ends) == 1 else None
        if end is None:
            raise UnsupportedTemplateError("no special token stands behind the responses")
        return end


def trained_pieces(pieces: Sequence[Piece], messages: Sequence[Message]) -> list[bool]:
    """Which pieces a model learns to write: responses, and the special token behind each."""
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
    """The special token that a stretch begins with."""
    return pieces[0].text if pieces and pieces[0].special else None


# ---- the walk over the tree --------------------------------------------------------------------------------------


class _Text(tuple[Piece, ...]):
    """A string that remembers which message each part of it comes from."""

    @property
    def plain(self) -> str:
        return "".join(piece.text for piece in self)

    def stripped(self) -> _Text:
        pieces = list(self)
        while pieces and not (text := pieces[0].text.lstrip()):
            del pieces[0]
        if pieces:
            pieces[0] = pieces[0]._replace(text=text)
        while pieces and not (text := pieces[-1].text.rstrip()):
            del pieces[-1]
        if pieces:
            pieces[-1] = pieces[-1]._replace(text=text)
        return _Text(pieces)


class _Undefined:
    """What a name means that nothing was assigned to."""


_UNDEFINED = _Undefined()
_Scope = dict[str, Any]


def _literal(text: str) -> _Text:
    return _Text([Piece(text, None)] if text else [])


class _Reader:
    """A parsed template.

    Args:
        source: in Jinja, with transformers' settings for white space.
        eos_token: the value of that name.

    Raises:
        UnsupportedTemplateError, jinja2.TemplateError, RecursionError: it cannot be parsed.
    """

    def __init__(self, source: str, eos_token: str | None) -> None:
        if len(source) > SOURCE_LIMIT_CHARACTERS:
            raise UnsupportedTemplateError("it is too long")
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        self._tree = environment.parse(source)
        self._eos = eos_token
        self._steps = self._room = 0

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> list[Piece]:
        """The pieces of a conversation, joined where neighbours come from the same message.

        Raises:
            UnsupportedTemplateError: a part that is not read here is met, or there is too much.
        """
        contents = [message.content.strip() for message in messages]
        self._steps = STEPS_LIMIT * (1 + len(messages))
        self._room = 4 * sum(map(len, contents)) + SOURCE_LIMIT_CHARACTERS * (1 + len(messages))
        values = [
            {"role": _literal(message.role), "content": _Text([Piece(content, number)] if content else [])}
            for number, (message, content) in enumerate(zip(messages, contents, strict=True))
        ]
        scope: _Scope = {"messages": values, "add_generation_prompt": add_generation_prompt}
        if self._eos is not None:
            scope["eos_token"] = _literal(self._eos)
        out: list[Piece] = []
        self._run(self._tree.body, scope, out)
        joined: list[Piece] = []
        for piece in out:
            if joined and joined[-1].message == piece.message:
                piece = piece._replace(text=joined.pop().text + piece.text)
            joined.append(piece)
        return joined

    # ---- statements ----------------------------------------------------------------------------------------------

    def _run(self, body: Sequence[nodes.Node], scope: _Scope, out: list[Piece]) -> None:
        for node in body:
            self._count()
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    if isinstance(part, nodes.TemplateData):
                        self._write(_literal(part.data), out)
                    else:
                        self._write(self._text(self._value(part, scope)), out)
            elif isinstance(node, nodes.If):
                self._run_if(node, scope, out)
            elif isinstance(node, nodes.For):
                self._run_for(node, scope, out)
            elif isinstance(node, nodes.Assign):
                self._assign(node, scope)
            else:
                raise UnsupportedTemplateError(type(node).__name__)

    def _run_if(self, node: nodes.If, scope: _Scope, out: list[Piece]) -> None:
        for branch in (node, *node.elif_):
            if self._truth(self._value(branch.test, scope)):
                self._run(branch.body, scope, out)
                return
        self._run(node.else_, scope, out)

    def _run_for(self, node: nodes.For, scope: _Scope, out: list[Piece]) -> None:
        items = self._value(node.iter, scope)
        if not isinstance(items, list) or not isinstance(node.target, nodes.Name) or node.recursive or node.test:
            raise UnsupportedTemplateError("a loop over something else than the messages")
        for number, item in enumerate(items):
            loop = {
                "first": number == 0,
                "last": number == len(items) - 1,
                "index0": number,
                "index": number + 1,
                "length": len(items),
            }
            self._run(node.body, {**scope, node.target.name: item, "loop": loop}, out)
        if not items:
            self._run(node.else_, scope, out)

    def _assign(self, node: nodes.Assign, scope: _Scope) -> None:
        value = self._value(node.node, scope)
        if isinstance(node.target, nodes.Name):
            scope[node.target.name] = value
        elif isinstance(node.target, nodes.NSRef) and isinstance(scope.get(node.target.name), _Namespace):
            scope[node.target.name][node.target.attr] = value
        else:
            raise UnsupportedTemplateError("an assignment to something else than a name")

    def _write(self, text: _Text, out: list[Piece]) -> None:
        self._room -= len(text.plain)
        if self._room < 0:
            raise UnsupportedTemplateError("it writes too much")
        out.extend(text)

    # ---- expressions ---------------------------------------------------------------------------------------------

    def _value(self, node: nodes.Node, scope: _Scope) -> Any:
        self._count()
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise UnsupportedTemplateError(type(node).__name__)
        return handler(self, node, scope)

    def _constant(self, node: nodes.Const, scope: _Scope) -> Any:
        if isinstance(node.value, str):
            return _literal(node.value)
        if node.value is None or isinstance(node.value, bool | int):
            return node.value
        raise UnsupportedTemplateError("a number with a fraction")

    def _name(self, node: nodes.Name, scope: _Scope) -> Any:
        if node.name == "bos_token":  # not known here
            raise UnsupportedTemplateError(node.name)
        return scope.get(node.name, _UNDEFINED)

    def _item(self, node: nodes.Getitem, scope: _Scope) -> Any:
        value = self._value(node.node, scope)
        if isinstance(node.arg, nodes.Slice):
            ends = [None if end is None else self._value(end, scope) for end in (node.arg.start, node.arg.stop)]
            if isinstance(value, list) and node.arg.step is None and all(_is_whole(end) for end in ends if end):
                return value[ends[0] : ends[1]]
            raise UnsupportedTemplateError("a slice")
        key = self._value(node.arg, scope)
        return self._look_up(value, key.plain if isinstance(key, _Text) else key)

    def _attribute(self, node: nodes.Getattr, scope: _Scope) -> Any:
        return self._look_up(self._value(node.node, scope), node.attr)

    def _look_up(self, value: Any, key: Any) -> Any:
        if isinstance(value, dict):
            return value.get(key, _UNDEFINED)
        if isinstance(value, list) and _is_whole(key):
            return value[key] if -len(value) <= key < len(value) else _UNDEFINED
        raise UnsupportedTemplateError("a part of something else than a message")

    def _concatenation(self, node: nodes.Concat, scope: _Scope) -> _Text:
        return self._joined([self._text(self._value(part, scope)) for part in node.nodes])

    def _addition(self, node: nodes.Add, scope: _Scope) -> Any:
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        if _is_whole(left) and _is_whole(right) and abs(left) + abs(right) < 2**31:
            return left + right
        if isinstance(left, _Text) and isinstance(right, _Text):
            return self._joined([left, right])
        raise UnsupportedTemplateError("an addition")

    def _remainder(self, node: nodes.Mod, scope: _Scope) -> int:
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        if _is_whole(left) and _is_whole(right) and right:
            return int(left % right)
        raise UnsupportedTemplateError("a remainder")

    def _comparison(self, node: nodes.Compare, scope: _Scope) -> bool:
        left = self._comparable(self._value(node.expr, scope))
        for operand in node.ops:
            right = self._comparable(self._value(operand.expr, scope))
            if operand.op in ("eq", "ne"):
                holds = (left == right) is (operand.op == "eq")
            elif operand.op in ("in", "notin") and isinstance(left, str) and isinstance(right, str | dict):
                holds = (left in right) is (operand.op == "in")
            elif operand.op in ("lt", "lteq", "gt", "gteq") and _is_whole(left) and _is_whole(right):
                holds = {"lt": left < right, "lteq": left <= right, "gt": left > right, "gteq": left >= right}[
                    operand.op
                ]
            else:
                raise UnsupportedTemplateError("a comparison")
            if not holds:
                return False
            left = right
        return True

    def _conjunction(self, node: nodes.And, scope: _Scope) -> Any:
        left = self._value(node.left, scope)
        return self._value(node.right, scope) if self._truth(left) else left

    def _disjunction(self, node: nodes.Or, scope: _Scope) -> Any:
        left = self._value(node.left, scope)
        return left if self._truth(left) else self._value(node.right, scope)

    def _negation(self, node: nodes.Not, scope: _Scope) -> bool:
        return not self._truth(self._value(node.node, scope))

    def _choice(self, node: nodes.CondExpr, scope: _Scope) -> Any:
        if self._truth(self._value(node.test, scope)):
            return self._value(node.expr1, scope)
        return _literal("") if node.expr2 is None else self._value(node.expr2, scope)

    def _filter(self, node: nodes.Filter, scope: _Scope) -> Any:
        if node.node is None or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise UnsupportedTemplateError(f"the filter {node.name}")
        value = self._value(node.node, scope)
        if node.name == "trim" and isinstance(value, _Text):
            return value.stripped()
        if node.name in ("length", "count") and isinstance(value, list | _Text):
            return len(value.plain) if isinstance(value, _Text) else len(value)
        raise UnsupportedTemplateError(f"the filter {node.name}")

    def _test(self, node: nodes.Test, scope: _Scope) -> bool:
        value = self._value(node.node, scope)
        answers = {
            "defined": not isinstance(value, _Undefined),
            "undefined": isinstance(value, _Undefined),
            "none": value is None,
            "string": isinstance(value, _Text),
        }
        if node.name not in answers or node.args:
            raise UnsupportedTemplateError(f"the test {node.name}")
        return answers[node.name]

    def _call(self, node: nodes.Call, scope: _Scope) -> Any:
        if node.dyn_args or node.dyn_kwargs:
            raise UnsupportedTemplateError("a call")
        if isinstance(node.node, nodes.Name) and node.node.name == "namespace" and not node.args:
            return _Namespace({pair.key: self._value(pair.value, scope) for pair in node.kwargs})
        if isinstance(node.node, nodes.Name) and node.node.name == "raise_exception":
            said = self._value(node.args[0], scope) if node.args else ""
            raise UnsupportedTemplateError(f"it says: {said.plain[:100] if isinstance(said, _Text) else ''}")
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "strip" and not (node.args or node.kwargs):
            value = self._value(node.node.node, scope)
            if isinstance(value, _Text):
                return value.stripped()
        raise UnsupportedTemplateError("a call")

    # ---- helpers -------------------------------------------------------------------------------------------------

    def _count(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise UnsupportedTemplateError("it takes too many steps")

    def _joined(self, texts: Sequence[_Text]) -> _Text:
        joined = _Text(piece for text in texts for piece in text)
        self._steps -= len(joined) + len(joined.plain) // 100  # long texts cost time, too
        if len(joined.plain) > self._room:
            raise UnsupportedTemplateError("it writes too much")
        return joined

    def _text(self, value: Any) -> _Text:
        if isinstance(value, _Text):
            return value
        if isinstance(value, _Undefined):
            return _literal("")
        raise UnsupportedTemplateError("it writes something else than text")

    def _truth(self, value: Any) -> bool:
        return bool(value) and not isinstance(value, _Undefined)

    def _comparable(self, value: Any) -> Any:
        return value.plain if isinstance(value, _Text) else value


class _Namespace(dict[str, Any]):
    """Jinja's `namespace`: names that a loop may assign to."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_HANDLERS: Mapping[type[nodes.Node], Any] = {
    nodes.Const: _Reader._constant,
    nodes.Name: _Reader._name,
    nodes.Getitem: _Reader._item,
    nodes.Getattr: _Reader._attribute,
    nodes.Concat: _Reader._concatenation,
    nodes.Add: _Reader._addition,
    nodes.Mod: _Reader._remainder,
    nodes.Compare: _Reader._comparison,
    nodes.And: _Reader._conjunction,
    nodes.Or: _Reader._disjunction,
    nodes.Not: _Reader._negation,
    nodes.CondExpr: _Reader._choice,
    nodes.Filter: _Reader._filter,
    nodes.Test: _Reader._test,
    nodes.Call: _Reader._call,
}
