"""Conversations: rows for instruction finetuning, in five formats of public datasets.

    alpaca               {instruction, input?, output}
    dolly                {instruction, context?, response}
    sharegpt             {conversations: [{from: human | gpt | system, value}]}
    messages             {messages: [{role, content}]}
    prompt-completion    {prompt | question | input, completion | response | answer | output}; strings or messages

The keys of the rows decide the format, not the name of the file. The input or context of an instruction is appended
after an empty line. In every format, a column `system` holds a system message, and a column `history` earlier turns. An
assistant's message with `"weight": 0` (or `"train": false`) is context without training targets. Rows with
`"label": false` (KTO) hold a rejected answer: they are left out. So are rows of weight 0 from training (`row_weights`).
`unused` lists all other columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.messages import as_messages, context_of, instruction_of, list_of_messages
from tuppence.data.records.row_weights import find_row_weights, trained_rows
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table, parse_rows, read_table
from tuppence.data.records.unused import Unused, find_unused
from tuppence.tokenizer.chat_template import Message, check_turns


@dataclass(frozen=True)
class Conversation:
    """Alternating turns of user and assistant, after an optional system message; the last turn is the assistant's."""

    messages: tuple[Message, ...]


@dataclass(frozen=True)
class ConversationSet:
    """A file of conversations.

    Attributes:
        rows: in the order of the file.
        format: "alpaca", "dolly", "sharegpt", "messages" or "prompt-completion".
        skipped_rows: number of bad rows that were left out, if that is allowed.
        disliked_rows: number of rows that were left out because their `label` is false.
        untrained_rows: number of rows that were left out because the file excludes them from training.
        unused: what was not used of the file.
    """

    rows: list[Conversation]
    format: str
    skipped_rows: int
    disliked_rows: int = 0
    untrained_rows: int = 0
    unused: Unused = field(default_factory=lambda: Unused({}))


def read_conversations(path: str | Path, *, skip_bad_rows: bool = False, trained_only: bool = False) -> ConversationSet:
    """Reads instructions and conversations in any of the formats above.

    Args:
        trained_only: leave out the rows that the file excludes from training.

    Raises:
        InputError: the file cannot be read or its format is unknown; a row lacks a part, has an empty response, or
            has turns in a wrong order (unless skipped).

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
    liked = [row for row in table.rows if not _is_disliked(row)]
    if not liked:
        raise InputError(
            f"{path}: the label is false in all rows: every answer was rejected", "name a file with other rows"
        )

    label = {column for column in _DISLIKED_COLUMNS if len(liked) < len(table.rows)}
    used = {"system", "history", *label, *_used_columns(table, name)}
    weights = find_row_weights(table, used) if trained_only else frozenset()
    kept = trained_rows(str(path), liked, weights)

    def parse(row: Row) -> Conversation:
        turns = turns_of(row)
        messages = (*context_of(row, turns), *turns)
        _check(row, messages)
        return Conversation(messages)

    rows, skipped = parse_rows(replace(table, rows=kept), parse, skip_bad_rows=skip_bad_rows)
    return ConversationSet(
        rows,
        name,
        skipped,
        disliked_rows=len(table.rows) - len(liked),
        untrained_rows=len(liked) - len(kept),
        unused=find_unused(table, used, weights),
    )


def _check(row: Row, messages: Sequence[Message]) -> None:
    """Refuses a conversation without a usable training target."""
    try:
        check_turns(messages)
    except InputError as error:
        raise BadRowError(f"{row.where}: {error.message} ({error.hint})") from error
    if messages[-1].role != "assistant":
        raise BadRowError(f"{row.where}: the last turn is the user's, so there is no response to train on")
    if any(message.role == "assistant" and not message.content.strip() for message in messages):
        raise BadRowError(f"{row.where}: the response is empty")
    if any(message.role == "user" and not message.content.strip() for message in messages):
        raise BadRowError(f"{row.where}: the user's turn is empty")
    if not any(message.role == "assistant" and message.trained for message in messages):
        raise BadRowError(f"{row.where}: every response has weight 0, so there is no response to train on")


_DISLIKED_COLUMNS = ("label", "kto_tag")


def _is_disliked(row: Row) -> bool:
    """Whether a row of KTO's format has a rejected answer."""
    return any(str(row.values.get(column)).casefold() == "false" for column in _DISLIKED_COLUMNS)


def _alpaca(row: Row) -> list[Message]:
    return [instruction_of(row, "input"), Message("assistant", row.text("output"))]


def _dolly(row: Row) -> list[Message]:
    return [instruction_of(row, "context"), Message("assistant", row.text("response"))]


def _sharegpt(row: Row) -> list[Message]:
    return list_of_messages(row, "conversations")


def _messages(row: Row) -> list[Message]:
    return list_of_messages(row, "messages")


def _prompt_completion(row: Row) -> list[Message]:
    pair = next((pair for pair in _PAIRS if set(pair) <= row.values.keys()), None)
    if pair is None:  # name the missing column in the error
        asked = next((asked for asked, _ in _PAIRS if asked in row.values), "prompt")
        pair = asked, "completion"
    return as_messages(row, pair[0], speaker="user") + as_messages(row, pair[1], speaker="assistant")


_PAIRS = [
    (asked, answer)
    for asked in ("prompt", "question", "input")
    for answer in ("completion", "response", "answer", "output")
]

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
    "dolly": [{"instruction", "response"}],
    "alpaca": [{"instruction", "output"}],
    "prompt-completion": [set(pair) for pair in _PAIRS],
}
"""The required keys of each format, in the order of the checks: rows of Alpaca also have `input` and `output`."""


def _recognise(table: Table) -> str:
    """The format of the first row that has one."""
    for row in table.rows:
        for name, choices in _KEYS.items():
            if any(keys <= row.values.keys() for keys in choices):
                return name
    if any({"chosen", "rejected"} <= row.values.keys() for row in table.rows):
        raise InputError(f"{table.path} has preferences, not instructions", "train on them with 'tuppence align dpo'")
    raise InputError(
        f"{table.path} has no instructions in a known format: its rows have {', '.join(table.columns[:12])}",
        "rows should have instruction and output (or response), prompt and completion, messages, or conversations",
    )


def _used_columns(table: Table, name: str) -> set[str]:
    """The columns that rows of a format are read from."""
    if name == "prompt-completion":
        return next((set(pair) for pair in _PAIRS if set(pair) <= set(table.columns)), set())
    return {"alpaca": {"input"}, "dolly": {"context"}}.get(name, set()).union(*_KEYS[name])
