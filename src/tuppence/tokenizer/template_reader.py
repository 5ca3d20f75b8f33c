"""Renders a chat template by walking its syntax tree, for the part of Jinja that plain templates use.

Supports loops over the messages, conditions on roles, concatenation, `trim` and `set`; a template with anything else is
unsupported. Only jinja2's parser is used, so nothing is executed. The walk records which text comes from which message,
so that training knows the responses. Steps, sizes and nesting are limited. `template_expressions` computes the values
of expressions. `foreign_template` calls this module.
"""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
from jinja2 import nodes

from tuppence.tokenizer.chat_template import Message
from tuppence.tokenizer.template_expressions import (
    Expressions,
    Namespace,
    Scope,
    UnsupportedTemplateError,
    is_true,
    unsupported,
)
from tuppence.tokenizer.traced_text import Piece, TracedText, literal

SOURCE_LIMIT_CHARACTERS = 32_768
STEPS_LIMIT = 50_000
"""Limit of visited nodes for one conversation; each of its messages adds the same number."""


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
            raise UnsupportedTemplateError(f"it has more than {SOURCE_LIMIT_CHARACTERS:,} characters")
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        self._tree = environment.parse(source)
        self._eos = eos_token

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> list[Piece]:
        """The pieces of a conversation; neighbours from the same message are joined.

        Raises:
            UnsupportedTemplateError: the conversation needs an unsupported part of Jinja, or exceeds a limit.
        """
        contents = [message.content.strip() for message in messages]
        room = 4 * sum(map(len, contents)) + SOURCE_LIMIT_CHARACTERS * (1 + len(messages))
        values = [
            {"role": literal(message.role), "content": TracedText([Piece(content, number)] if content else [])}
            for number, (message, content) in enumerate(zip(messages, contents, strict=True))
        ]
        scope: Scope = {"messages": values, "add_generation_prompt": add_generation_prompt}
        if self._eos is not None:
            scope["eos_token"] = literal(self._eos)
        statements = _Statements(Expressions(STEPS_LIMIT * (1 + len(messages)), room))
        statements.run(self._tree.body, scope)
        joined: list[Piece] = []
        for piece in statements.out:
            if joined and joined[-1].message == piece.message:
                piece = piece._replace(text=joined.pop().text + piece.text)
            joined.append(piece)
        return joined


class _Statements:
    """Runs the statements of a template.

    Attributes:
        out: the pieces that were written.
    """

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self.out: list[Piece] = []

    def run(self, body: Sequence[nodes.Node], scope: Scope) -> None:
        """Runs statements, and appends the pieces that they write to `out`.

        Raises:
            UnsupportedTemplateError: a statement is not supported, or exceeds a limit.
        """
        for node in body:
            self._expressions.count_step()
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    if isinstance(part, nodes.TemplateData):
                        self._write(literal(part.data))
                    else:
                        self._write(self._expressions.text(self._expressions.value(part, scope)))
            elif isinstance(node, nodes.If):
                self._run_if(node, scope)
            elif isinstance(node, nodes.For):
                self._run_for(node, scope)
            elif isinstance(node, nodes.Assign):
                self._assign(node, scope)
            else:
                raise unsupported(f"the statement {type(node).__name__}")

    def _run_if(self, node: nodes.If, scope: Scope) -> None:
        for branch in (node, *node.elif_):
            if is_true(self._expressions.value(branch.test, scope)):
                self.run(branch.body, scope)
                return
        self.run(node.else_, scope)

    def _run_for(self, node: nodes.For, scope: Scope) -> None:
        items = self._expressions.value(node.iter, scope)
        if not isinstance(items, list) or not isinstance(node.target, nodes.Name) or node.recursive or node.test:
            raise unsupported("a loop over a value other than the messages")
        for number, item in enumerate(items):
            loop = {
                "first": number == 0,
                "last": number == len(items) - 1,
                "index0": number,
                "index": number + 1,
                "length": len(items),
            }
            self.run(node.body, {**scope, node.target.name: item, "loop": loop})
        if not items:
            self.run(node.else_, scope)

    def _assign(self, node: nodes.Assign, scope: Scope) -> None:
        value = self._expressions.value(node.node, scope)
        if isinstance(node.target, nodes.Name):
            scope[node.target.name] = value
        elif isinstance(node.target, nodes.NSRef) and isinstance(scope.get(node.target.name), Namespace):
            scope[node.target.name][node.target.attr] = value
        else:
            raise unsupported("an assignment to anything other than a name")

    def _write(self, text: TracedText) -> None:
        self._expressions.count_written(text)
        self.out.extend(text)
