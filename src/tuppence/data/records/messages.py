"""Messages: the turns of a conversation in the rows of public files.

Reads one message ({role, content}, or ShareGPT's {from, value}), lists of messages, a column `system`, and Alpaca's
column `history`. `conversations` and `preferences` call this module and interpret the rows; `tokenizer.chat_template`
checks the order of the turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError, checked_text, json_kind
from tuppence.data.records.rows import Row
from tuppence.tokenizer.chat_template import Message, Role, as_role

_SPEAKERS: Mapping[str, Role] = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "assistant", "model", "bot"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
"""Names of speakers in public files, in lower case."""

_TRAINED_KEYS = ("weight", "train", "training", "loss", "loss_mask")
"""Keys of a message that exclude it from training with 0 or false (OpenAI and Mistral: `weight`; axolotl: `train`,
`training`; ms-swift: `loss`)."""

MESSAGE_KEYS = frozenset({"role", "content", "from", "value", *_TRAINED_KEYS})
"""The keys of a message that are read."""


def as_messages(row: Row, column: str, *, speaker: Role) -> list[Message]:
    """The turns in a column: a list of messages, a single message, or a string by `speaker`.

    Raises:
        InputError: the value has another type.
    """
    value = row.values.get(column)
    if isinstance(value, dict):
        return [_message(value, f"{row.where}, '{column}'")]
    if not isinstance(value, list):
        return [Message(speaker, row.text(column))]
    return [_message(item, f"{row.where}, '{column}' {number}") for number, item in enumerate(value, start=1)]


def list_of_messages(row: Row, column: str) -> list[Message]:
    """The turns in a column that holds a list of messages.

    Raises:
        InputError: it holds something else.
    """
    if not isinstance(row.values.get(column), list):
        found = json_kind(row.values[column]) if column in row.values else "missing"
        raise BadRowError(f"{row.where}: '{column}' is not a list of messages but {found}")
    return as_messages(row, column, speaker="user")


def instruction_of(row: Row, further: str | None, *, column: str = "instruction") -> Message:
    """An instruction with its input or context, as a user's turn.

    Args:
        further: name of the column of the input or context; its value can be absent, null or empty. None: no such
            column is read.
        column: name of the column of the instruction.
    """
    instruction = row.text(column).strip()
    rest = row.text(further, default="").strip() if further is not None else ""
    if not instruction + rest:
        raise BadRowError(f"{row.where}: the {column} is empty")
    return Message("user", join_input(instruction, rest))


def join_input(instruction: str, further: str) -> str:
    """Returns an instruction with its input or context, as one text."""
    return f"{instruction}\n\n{further}" if further else instruction


def context_of(row: Row, turns: list[Message]) -> list[Message]:
    """The turns that some files keep in separate columns: `system`, then `history`.

    Args:
        turns: the turns that follow. A system message that they already contain is not repeated.

    Raises:
        InputError: `history` is not a list of pairs of question and answer.
    """
    text = row.text("system", default="").strip()
    is_repeated = bool(turns) and turns[0].role == "system" and turns[0].content.strip() == text
    system = [Message("system", text)] if text and not is_repeated else []
    return [*system, *_history_of(row)]


def _history_of(row: Row) -> list[Message]:
    """Alpaca's `history`: [[question, answer], ...], the earlier turns of the conversation."""
    value = row.values.get("history")
    if value is None or value == "":
        return []
    turns: list[Message] = []
    for number, pair in enumerate(value if isinstance(value, list) else [value], start=1):
        where = f"{row.where}, 'history' {number}"
        if isinstance(pair, dict):
            turns.append(_message(pair, where))
        elif isinstance(pair, list) and len(pair) == 2:
            turns.append(Message("user", checked_text(pair[0], where, "the question")))
            turns.append(Message("assistant", checked_text(pair[1], where, "the answer")))
        else:
            raise BadRowError(f"{where}: not a pair of question and answer but {json_kind(pair)}")
    return turns


def _message(item: object, where: str) -> Message:
    """One message: {role, content}, or ShareGPT's {from, value}."""
    if not isinstance(item, dict):
        raise BadRowError(f"{where}: not a message but {json_kind(item)}")
    cells: Mapping[Any, Any] = item
    role, content = ("from", "value") if "from" in cells else ("role", "content")
    for key in (role, content):
        if key not in cells:
            raise BadRowError(f"{where}: a message without '{key}'")
    name = str(cells[role])
    try:
        speaker = as_role(_SPEAKERS.get(name.casefold(), name))
    except InputError as error:
        raise BadRowError(f"{where}: {error.message} ({error.hint})") from error
    return Message(speaker, _content(cells[content], where, content), trained=_is_trained(cells))


def _content(value: object, where: str, key: str) -> str:
    """The text of a message: a string, or OpenAI's list of parts if all parts are text."""
    parts = value if isinstance(value, list) else []
    if parts and all(isinstance(part, dict) for part in parts):
        other = next((part.get("type") for part in parts if part.get("type") != "text"), None)
        if other is not None:
            raise BadRowError(f"{where}: '{key}' has a part of type {str(other)[:40]!r}, not text")
        return "".join(checked_text(part.get("text"), where, "a text part") for part in parts)
    return checked_text(value, where, f"'{key}'")


def _is_trained(cells: Mapping[Any, Any]) -> bool:
    """Whether a message is trained: no key excludes it. A weight between 0 and 1 counts as 1."""
    return not any(
        value is not None and isinstance(value, bool | int | float) and not value
        for value in (cells.get(key) for key in _TRAINED_KEYS)
    )
