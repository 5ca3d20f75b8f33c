"""The values of expressions in a chat template, for the part of Jinja that plain templates use.

Texts are `TracedText`, so each part of a value remembers its message. Steps and sizes are limited. `template_reader`
runs the statements of a template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import nodes

from tuppence.tokenizer.traced_text import TracedText, literal

Scope = dict[str, Any]
"""The values of the names in a template."""


class UnsupportedTemplateError(Exception):
    """The template uses a part of Jinja that is not supported, or exceeds a limit."""


class Namespace(dict[str, Any]):
    """Jinja's `namespace`: an object whose attributes a loop can assign to."""


class _Undefined:
    """The value of a name without an assignment."""


_UNDEFINED = _Undefined()


class Expressions:
    """Computes the values of expressions within limits.

    Args:
        steps: the number of nodes that can be visited.
        room: the number of characters that can be written, and the limit for one value.
    """

    def __init__(self, steps: int, room: int) -> None:
        self._steps, self._room = steps, room

    def count_step(self) -> None:
        """Counts a visited node.

        Raises:
            UnsupportedTemplateError: the limit is exceeded.
        """
        self._steps -= 1
        if self._steps < 0:
            raise UnsupportedTemplateError("it takes too many steps")

    def count_written(self, text: TracedText) -> None:
        """Counts text that is written to the output.

        Raises:
            UnsupportedTemplateError: the limit is exceeded.
        """
        self._room -= len(text.plain)
        if self._room < 0:
            raise UnsupportedTemplateError("its text is too long")

    def value(self, node: nodes.Node, scope: Scope) -> Any:
        """The value of an expression.

        Raises:
            UnsupportedTemplateError: it is not supported, or exceeds a limit.
        """
        self.count_step()
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise unsupported(f"the expression {type(node).__name__}")
        return handler(self, node, scope)

    def text(self, value: Any) -> TracedText:
        """A value as text.

        Raises:
            UnsupportedTemplateError: it is neither a text nor undefined.
        """
        if isinstance(value, TracedText):
            return value
        if isinstance(value, _Undefined):
            return literal("")
        raise unsupported("the output of a value other than text")

    def _constant(self, node: nodes.Const, scope: Scope) -> Any:
        if isinstance(node.value, str):
            return literal(node.value)
        if node.value is None or isinstance(node.value, bool | int):
            return node.value
        raise unsupported("a decimal number")

    def _name(self, node: nodes.Name, scope: Scope) -> Any:
        if node.name == "bos_token":  # its value is unknown
            raise unsupported(f"the variable {node.name}")
        return scope.get(node.name, _UNDEFINED)

    def _item(self, node: nodes.Getitem, scope: Scope) -> Any:
        value = self.value(node.node, scope)
        if isinstance(node.arg, nodes.Slice):
            ends = [None if end is None else self.value(end, scope) for end in (node.arg.start, node.arg.stop)]
            if isinstance(value, list) and node.arg.step is None and all(_is_whole(end) for end in ends if end):
                return value[ends[0] : ends[1]]
            raise unsupported("a slice of a value other than a list")
        key = self.value(node.arg, scope)
        return self._look_up(value, key.plain if isinstance(key, TracedText) else key)

    def _attribute(self, node: nodes.Getattr, scope: Scope) -> Any:
        return self._look_up(self.value(node.node, scope), node.attr)

    def _look_up(self, value: Any, key: Any) -> Any:
        if isinstance(value, dict):
            return value.get(key, _UNDEFINED)
        if isinstance(value, list) and _is_whole(key):
            return value[key] if -len(value) <= key < len(value) else _UNDEFINED
        raise unsupported("an item of a value other than a message or a list")

    def _concatenation(self, node: nodes.Concat, scope: Scope) -> TracedText:
        return self._joined([self.text(self.value(part, scope)) for part in node.nodes])

    def _addition(self, node: nodes.Add, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if _is_whole(left) and _is_whole(right) and abs(left) + abs(right) < 2**31:
            return left + right
        if isinstance(left, TracedText) and isinstance(right, TracedText):
            return self._joined([left, right])
        raise unsupported("an addition of values other than two integers or two texts")

    def _remainder(self, node: nodes.Mod, scope: Scope) -> int:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        if _is_whole(left) and _is_whole(right) and right:
            return int(left % right)
        raise unsupported("a remainder of values other than integers")

    def _comparison(self, node: nodes.Compare, scope: Scope) -> bool:
        left = _comparable(self.value(node.expr, scope))
        for operand in node.ops:
            right = _comparable(self.value(operand.expr, scope))
            if operand.op in ("eq", "ne"):
                holds = (left == right) is (operand.op == "eq")
            elif operand.op in ("in", "notin") and isinstance(left, str) and isinstance(right, str | dict):
                holds = (left in right) is (operand.op == "in")
            elif operand.op in ("lt", "lteq", "gt", "gteq") and _is_whole(left) and _is_whole(right):
                holds = {"lt": left < right, "lteq": left <= right, "gt": left > right, "gteq": left >= right}[
                    operand.op
                ]
            else:
                raise unsupported("a comparison of these values")
            if not holds:
                return False
            left = right
        return True

    def _conjunction(self, node: nodes.And, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        return self.value(node.right, scope) if is_true(left) else left

    def _disjunction(self, node: nodes.Or, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        return left if is_true(left) else self.value(node.right, scope)

    def _negation(self, node: nodes.Not, scope: Scope) -> bool:
        return not is_true(self.value(node.node, scope))

    def _choice(self, node: nodes.CondExpr, scope: Scope) -> Any:
        if is_true(self.value(node.test, scope)):
            return self.value(node.expr1, scope)
        return literal("") if node.expr2 is None else self.value(node.expr2, scope)

    def _filter(self, node: nodes.Filter, scope: Scope) -> Any:
        if node.node is None or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise unsupported(f"the filter {node.name} with arguments")
        value = self.value(node.node, scope)
        if node.name == "trim" and isinstance(value, TracedText):
            return value.stripped()
        if node.name in ("length", "count") and isinstance(value, list | TracedText):
            return len(value.plain) if isinstance(value, TracedText) else len(value)
        raise unsupported(f"the filter {node.name} on this value")

    def _test(self, node: nodes.Test, scope: Scope) -> bool:
        value = self.value(node.node, scope)
        answers = {
            "defined": not isinstance(value, _Undefined),
            "undefined": isinstance(value, _Undefined),
            "none": value is None,
            "string": isinstance(value, TracedText),
        }
        if node.name not in answers or node.args:
            raise unsupported(f"the test {node.name}")
        return answers[node.name]

    def _call(self, node: nodes.Call, scope: Scope) -> Any:
        if node.dyn_args or node.dyn_kwargs:
            raise unsupported("a call of a function")
        if isinstance(node.node, nodes.Name) and node.node.name == "namespace" and not node.args:
            return Namespace({pair.key: self.value(pair.value, scope) for pair in node.kwargs})
        if isinstance(node.node, nodes.Name) and node.node.name == "raise_exception":
            said = self.value(node.args[0], scope) if node.args else None
            raise UnsupportedTemplateError(f"its error is {said.plain[:100] if isinstance(said, TracedText) else ''!r}")
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "strip" and not (node.args or node.kwargs):
            value = self.value(node.node.node, scope)
            if isinstance(value, TracedText):
                return value.stripped()
        raise unsupported("a call of a function")

    def _joined(self, texts: Sequence[TracedText]) -> TracedText:
        joined = TracedText(piece for text in texts for piece in text)
        self._steps -= len(joined) + len(joined.plain) // 100  # long texts cost time, too
        if len(joined.plain) > self._room:
            raise UnsupportedTemplateError("its text is too long")
        return joined


def unsupported(what: str) -> UnsupportedTemplateError:
    """The error for a part of Jinja that is not supported."""
    return UnsupportedTemplateError(f"{what} is not supported")


def is_true(value: Any) -> bool:
    """Whether a condition with this value holds."""
    return bool(value) and not isinstance(value, _Undefined)


def _comparable(value: Any) -> Any:
    return value.plain if isinstance(value, TracedText) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_HANDLERS: Mapping[type[nodes.Node], Any] = {
    nodes.Const: Expressions._constant,
    nodes.Name: Expressions._name,
    nodes.Getitem: Expressions._item,
    nodes.Getattr: Expressions._attribute,
    nodes.Concat: Expressions._concatenation,
    nodes.Add: Expressions._addition,
    nodes.Mod: Expressions._remainder,
    nodes.Compare: Expressions._comparison,
    nodes.And: Expressions._conjunction,
    nodes.Or: Expressions._disjunction,
    nodes.Not: Expressions._negation,
    nodes.CondExpr: Expressions._choice,
    nodes.Filter: Expressions._filter,
    nodes.Test: Expressions._test,
    nodes.Call: Expressions._call,
}
