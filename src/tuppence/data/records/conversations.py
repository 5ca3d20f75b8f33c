"""Conversations: the rows that a model learns to answer from, in the five ways in which public sets write them.

    alpaca               {instruction, input?, output}
    dolly                {instruction, context?, response}
    sharegpt             {conversations: [{from: human | gpt | system, value}]}
    messages             {messages: [{role, content}]}
    prompt-completion    {prompt, completion | response}; strings, or lists of messages

The keys of the rows say which it is, not the name of the file. What follows an instruction (its input, its context)
stands below it, after an empty line. A column `system` holds a system message, in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.errors import InputError
from tuppence.data.readers import json_kind
from tuppence.data.records.tables import BAD_ROW_HINT, Row, Table, checked_text, parse_rows, read_table
from tuppence.tokenizer.chat_template import Message, Role, as_role, check_turns

_SPEAKERS: Mapping[str, Role] = {"human": "user", "gpt": "assistant", "chatgpt": "assistant"}


@dataclass(frozen=True)
class Conversation:
    """What was said: user and assistant in turns, after an optional system message; the assistant has the last word."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class ConversationSet:
    """A file of conversations.

    Attributes:
        rows: in the file's order.
        format: "alpaca", "dolly", "sharegpt", "messages" or "prompt-completion".
        skipped_rows: bad ones that were left out, where that is allowed.
    """

    rows: list[Conversation]
    format: str
    skipped_rows: int


def read_conversations(path: str | Path, *, skip_bad_rows: bool = False) -> ConversationSet:
    """Reads instructions and conversations, whatever their format.

    Raises:
        InputError: the file cannot be read or has no format we know; a row lacks a part, has an empty response, or
            turns out of order (unless skipped).

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "tasks.json"
        >>> _ = file.write_text('[{"instruction": "Add.", "input": "2, 3", "output": "5"}]')
        >>> found = read_conversations(str(file))
        >>> found.format, found.rows[0].messages[0].content, found.rows[0].messages[1].content
        ('alpaca', 'Add.\\n\\n2, 3', '5')
    """
    table = read_table(str(path), skip_bad_rows=skip_bad_rows)
    name = _recognise(table)
    turns_of = FORMATS[name]

    def parse(row: Row) -> Conversation:
        messages = (*_system_of(row), *turns_of(row))
        try:
            check_turns(messages)
        except InputError as error:
            raise InputError(f"{row.where}: {error.message}", error.hint) from error
        if messages[-1].role != "assistant":
            raise InputError(f"{row.where}: the last turn is the user's: there is no response to learn", BAD_ROW_HINT)
        if any(message.role == "assistant" and not message.content.strip() for message in messages):
            raise InputError(f"{row.where}: the response is empty", BAD_ROW_HINT)
        return Conversation(messages)

    rows, skipped = parse_rows(table, parse, skip_bad_rows=skip_bad_rows)
    return ConversationSet(rows, name, skipped)


def as_messages(row: Row, column: str, *, speaker: Role) -> list[Message]:
    """The turns in a column: a list of messages, or a string that `speaker` says.

    Raises:
        InputError: it is neither.
    """
    value = row.values.get(column)
    if not isinstance(value, list):
        return [Message(speaker, row.text(column))]
    return [_message(item, f"{row.where}, '{column}' {number}") for number, item in enumerate(value, start=1)]


def instruction_of(row: Row, further: str) -> Message:
    """An instruction with what belongs to it, as a user's turn.

    Args:
        further: the column of the rest; absent, null or empty in rows without.
    """
    instruction = row.text("instruction").strip()
    rest = row.text(further, default="").strip()
    if not instruction + rest:
        raise InputError(f"{row.where}: the instruction is empty", BAD_ROW_HINT)
    return Message("user", f"{instruction}\n\n{rest}" if rest else instruction)


def _system_of(row: Row) -> list[Message]:
    """The system message that some files have beside the turns; absent, null or empty in rows without."""
    text = row.text("system", default="").strip()
    return [Message("system", text)] if text else []


def _alpaca(row: Row) -> list[Message]:
    return [instruction_of(row, "input"), Message("assistant", row.text("output"))]


def _dolly(row: Row) -> list[Message]:
    return [instruction_of(row, "context"), Message("assistant", row.text("response"))]


def _sharegpt(row: Row) -> list[Message]:
    return _list(row, "conversations")


def _messages(row: Row) -> list[Message]:
    return _list(row, "messages")


def _prompt_completion(row: Row) -> list[Message]:
    answer = "completion" if "completion" in row.values else "response"
    return as_messages(row, "prompt", speaker="user") + as_messages(row, answer, speaker="assistant")


FORMATS: Mapping[str, Callable[[Row], list[Message]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "prompt-completion": _prompt_completion,
    "dolly": _dolly,
    "alpaca": _alpaca,
}

_KEYS: Mapping[str, Sequence[set[str]]] = {
    "messages": [{"messages"}],
    "sharegpt": [{"conversations"}],
    "prompt-completion": [{"prompt", "completion"}, {"prompt", "response"}],
    "dolly": [{"instruction", "response"}],
    "alpaca": [{"instruction", "output"}],
}


def _recognise(table: Table) -> str:
    """The format of the first row that has one."""
    for row in table.rows:
        for name, choices in _KEYS.items():
            if any(keys <= row.values.keys() for keys in choices):
                return name
    raise InputError(
        f"{table.path} holds no instructions that we recognise: its rows have {', '.join(table.columns[:12])}",
        "rows should have instruction and output (or response), prompt and completion, messages, or conversations",
    )


def _list(row: Row, column: str) -> list[Message]:
    if not isinstance(row.values.get(column), list):
        found = json_kind(row.values[column]) if column in row.values else "missing"
        raise InputError(f"{row.where}: '{column}' is not a list of messages but {found}", BAD_ROW_HINT)
    return as_messages(row, column, speaker="user")


def _message(item: object, where: str) -> Message:
    """One message: {role, content}, or ShareGPT's {from, value}."""
    if not isinstance(item, dict):
        raise InputError(f"{where}: not a message but {json_kind(item)}", BAD_ROW_HINT)
    cells: Mapping[Any, Any] = item
    role, content = ("from", "value") if "from" in cells else ("role", "content")
    for key in (role, content):
        if key not in cells:
            raise InputError(f"{where}: a message without '{key}'", BAD_ROW_HINT)
    speaker = _SPEAKERS.get(str(cells[role]).lower(), cells[role])
    try:
        return Message(as_role(speaker), checked_text(cells[content], where, f"'{content}'"))
    except InputError as error:
        message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
        raise InputError(message, error.hint) from error
