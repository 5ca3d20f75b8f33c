"""The chat template of our instruction models: turns a conversation into one text.

    You are brief.                                  the system message, if there is one

    ### Instruction:
    Name a fruit.

    ### Response:
    Plum.<|endoftext|>                              the next turn begins on the next line

It is short, because small models have short contexts. Its only special token is the one that all our vocabularies have.
`CHAT_TEMPLATE` is the same template in Jinja, for other programs; it is written to `tokenizer_config.json`, where they
look for it. We never run Jinja: `render` is our template in Python, and `foreign_template` reads other templates.
A user can write lines that look like the template's, but not the end of a response, because it is a token.

Does not encode (`data.records.encoding` does) and does not read files (`data.records.conversations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast, get_args

from tuppence.core.errors import InputError
from tuppence.tokenizer.vocabulary import END_OF_TEXT

Role = Literal["system", "user", "assistant"]

INSTRUCTION = "### Instruction:\n"
RESPONSE = "### Response:\n"

CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- set content = message['content'] | trim -%}
    {%- if message['role'] == 'system' -%}
        {%- if content -%}{{ content + '\\n\\n' }}{%- endif -%}
    {%- elif message['role'] == 'user' -%}
        {{ '### Instruction:\\n' + content + '\\n\\n' }}
        {%- if add_generation_prompt or not loop.last -%}{{ '### Response:\\n' }}{%- endif -%}
    {%- elif message['role'] == 'assistant' -%}
        {{ content + '<|endoftext|>' }}
        {%- if not loop.last -%}{{ '\\n' }}{%- endif -%}
    {%- else -%}
        {{ raise_exception('a role is system, user or assistant, not ' + message['role']) }}
    {%- endif -%}
{%- endfor -%}"""


def chat_template_with(end_of_text: str) -> str:
    """Our template in Jinja, for a vocabulary whose end of text has another name."""
    quoted = end_of_text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return CHAT_TEMPLATE.replace(END_OF_TEXT, quoted)


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks: "system" (at most once, first), "user" or "assistant".
        content: the text; white space at both ends is ignored.
        trained: for the assistant's messages, whether a model is trained on it; otherwise it is context.
    """

    role: Role
    content: str
    trained: bool = field(default=True, repr=False)


class Segment(NamedTuple):
    """A stretch of the rendered text.

    Attributes:
        text: plain text; the name of a special token in it is text, too.
        trained: whether a model is trained on it: it is a response.
        ends: whether the token `<|endoftext|>` follows the text.
    """

    text: str
    trained: bool
    ends: bool


def render(messages: Sequence[Message], *, add_generation_prompt: bool) -> list[Segment]:
    """The text of a conversation, in segments.

    With every split pattern, no token crosses the border of two segments: a trained segment follows a line break and
    begins with another character, and `<|endoftext|>` separates all others. So the ids of the segments, concatenated,
    are the ids of the whole text.

    Args:
        messages: user and assistant in turns, after an optional system message (`check_turns`).
        add_generation_prompt: whether a last user turn is followed by the line after which the model answers.

    Raises:
        InputError: the messages are not in that order.

    Example:
        >>> for segment in render([Message("user", "Name a fruit."), Message("assistant", " Plum.")],
        ...                       add_generation_prompt=False):
        ...     print(segment)
        Segment(text='### Instruction:\\nName a fruit.\\n\\n### Response:\\n', trained=False, ends=False)
        Segment(text='Plum.', trained=True, ends=True)
    """
    check_turns(messages)
    segments: list[Segment] = []
    prompt = ""  # the text before the next response
    for row, message in enumerate(messages):
        content, is_last = message.content.strip(), row == len(messages) - 1
        if message.role == "system":
            prompt += content + "\n\n" if content else ""
        elif message.role == "user":
            prompt += INSTRUCTION + content + "\n\n" + (RESPONSE if add_generation_prompt or not is_last else "")
        else:
            segments += [
                Segment(prompt, trained=False, ends=False),
                Segment(content, trained=message.trained, ends=True),
            ]
            prompt = "\n"
    if messages[-1].role != "assistant":
        segments.append(Segment(prompt, trained=False, ends=False))
    return segments


def as_text(segments: Sequence[Segment]) -> str:
    """The segments as one text, with `<|endoftext|>` written out: equal to what Jinja renders from `CHAT_TEMPLATE`.

    Example:
        >>> as_text(render([Message("user", "Hello")], add_generation_prompt=True))
        '### Instruction:\\nHello\\n\\n### Response:\\n'
    """
    return "".join(segment.text + (END_OF_TEXT if segment.ends else "") for segment in segments)


def check_turns(messages: Sequence[Message]) -> None:
    """Checks that user and assistant alternate, the user first, after at most one system message.

    Raises:
        InputError: they do not. The message names the turn, counted from 1, but not the file: callers prepend it.
    """
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        raise InputError("a conversation without a turn of the user", "it needs at least one")
    first = len(messages) - len(turns) + 1
    for row, message in enumerate(turns):
        expected = "assistant" if row % 2 else "user"
        if message.role != expected:
            raise InputError(
                f"turn {first + row} is the {message.role}'s, where the {expected}'s should be",
                "after an optional system message, user and assistant speak in turns, the user first",
            )


def as_role(name: object) -> Role:
    """A role by its name.

    Raises:
        InputError: there is no such role.
    """
    if name in get_args(Role):
        return cast("Role", name)
    raise InputError(f"the role {str(name)[:40]!r} is not known", "roles are system, user and assistant")
