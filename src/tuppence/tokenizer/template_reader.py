"""Renders a chat template by walking its syntax tree, for the part of Jinja that plain templates use.

Supports loops over the messages, conditions on roles, concatenation, `trim` and `set`; a template with anything else is
unsupported. Only jinja2's parser is used, so nothing is executed. The walk records which text comes from which message,
so that training knows the responses. Steps, sizes and nesting are limited. `foreign_template` calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from jinja2 import nodes

from tuppence.tokenizer.chat_template import Message
from tuppence.tokenizer.traced_text import Piece, TracedText, literal

SOURCE_LIMIT_CHARACTERS = 32_768
STEPS_LIMIT = 50_000
"""Limit of visited nodes for one conversation; each of its messages adds the same number."""


class UnsupportedTemplateError(Exception):
    """The template uses a part of Jinja that is not supported."""


class _Undefined:
    """The value of a name without an assignment."""


_UNDEFINED = _Undefined()
_Scope = dict[str, Any]


class TemplateReader:
    """A parsed template.

    Args:
        source: Jinja, parsed with transformers' settings for white space.
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
        """The pieces of a conversation; neighbours from the same message are joined.

        Raises:
            UnsupportedTemplateError: the conversation needs an unsupported part of Jinja, or exceeds a limit.
        """
        contents = [message.content.strip() for message in messages]
        self._steps = STEPS_LIMIT * (1 + len(messages))
        self._room = 4 * sum(map(len, contents)) + SOURCE_LIMIT_CHARACTERS * (1 + len(messages))
        values = [
            {"role": literal(message.role), "content": TracedText([Piece(content, number)] if content else [])}
            for number, (message, content) in enumerate(zip(messages, contents, strict=True))
        ]
        scope: _Scope = {"messages": values, "add_generation_prompt": add_generation_prompt}
        if self._eos is not None:
            scope["eos_token"] = literal(self._eos)
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
                        self._write(literal(part.data), out)
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
            raise UnsupportedTemplateError("a loop over something other than the messages")
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
            raise UnsupportedTemplateError("an assignment to something other than a name")

    def _write(self, text: TracedText, out: list[Piece]) -> None:
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
            return literal(node.value)
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
        return self._look_up(value, key.plain if isinstance(key, TracedText) else key)

    def _attribute(self, node: nodes.Getattr, scope: _Scope) -> Any:
        return self._look_up(self._value(node.node, scope), node.attr)

    def _look_up(self, value: Any, key: Any) -> Any:
        if isinstance(value, dict):
            return value.get(key, _UNDEFINED)
        if isinstance(value, list) and _is_whole(key):
            return value[key] if -len(value) <= key < len(value) else _UNDEFINED
        raise UnsupportedTemplateError("a part of something other than a message")

    def _concatenation(self, node: nodes.Concat, scope: _Scope) -> TracedText:
        return self._joined([self._text(self._value(part, scope)) for part in node.nodes])

    def _addition(self, node: nodes.Add, scope: _Scope) -> Any:
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        if _is_whole(left) and _is_whole(right) and abs(left) + abs(right) < 2**31:
            return left + right
        if isinstance(left, TracedText) and isinstance(right, TracedText):
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
        return literal("") if node.expr2 is None else self._value(node.expr2, scope)

    def _filter(self, node: nodes.Filter, scope: _Scope) -> Any:
        if node.node is None or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise UnsupportedTemplateError(f"the filter {node.name}")
        value = self._value(node.node, scope)
        if node.name == "trim" and isinstance(value, TracedText):
            return value.stripped()
        if node.name in ("length", "count") and isinstance(value, list | TracedText):
            return len(value.plain) if isinstance(value, TracedText) else len(value)
        raise UnsupportedTemplateError(f"the filter {node.name}")

    def _test(self, node: nodes.Test, scope: _Scope) -> bool:
        value = self._value(node.node, scope)
        answers = {
            "defined": not isinstance(value, _Undefined),
            "undefined": isinstance(value, _Undefined),
            "none": value is None,
            "string": isinstance(value, TracedText),
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
            raise UnsupportedTemplateError(f"its error: {said.plain[:100] if isinstance(said, TracedText) else ''}")
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "strip" and not (node.args or node.kwargs):
            value = self._value(node.node.node, scope)
            if isinstance(value, TracedText):
                return value.stripped()
        raise UnsupportedTemplateError("a call")

    # ---- helpers -------------------------------------------------------------------------------------------------

    def _count(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise UnsupportedTemplateError("it takes too many steps")

    def _joined(self, texts: Sequence[TracedText]) -> TracedText:
        joined = TracedText(piece for text in texts for piece in text)
        self._steps -= len(joined) + len(joined.plain) // 100  # long texts cost time, too
        if len(joined.plain) > self._room:
            raise UnsupportedTemplateError("it writes too much")
        return joined

    def _text(self, value: Any) -> TracedText:
        if isinstance(value, TracedText):
            return value
        if isinstance(value, _Undefined):
            return literal("")
        raise UnsupportedTemplateError("it writes something other than text")

    def _truth(self, value: Any) -> bool:
        return bool(value) and not isinstance(value, _Undefined)

    def _comparable(self, value: Any) -> Any:
        return value.plain if isinstance(value, TracedText) else value


class _Namespace(dict[str, Any]):
    """Jinja's `namespace`: names that a loop may assign to."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_HANDLERS: Mapping[type[nodes.Node], Any] = {
    nodes.Const: TemplateReader._constant,
    nodes.Name: TemplateReader._name,
    nodes.Getitem: TemplateReader._item,
    nodes.Getattr: TemplateReader._attribute,
    nodes.Concat: TemplateReader._concatenation,
    nodes.Add: TemplateReader._addition,
    nodes.Mod: TemplateReader._remainder,
    nodes.Compare: TemplateReader._comparison,
    nodes.And: TemplateReader._conjunction,
    nodes.Or: TemplateReader._disjunction,
    nodes.Not: TemplateReader._negation,
    nodes.CondExpr: TemplateReader._choice,
    nodes.Filter: TemplateReader._filter,
    nodes.Test: TemplateReader._test,
    nodes.Call: TemplateReader._call,
}
