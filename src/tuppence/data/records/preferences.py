"""Preferences: a prompt and two answers to it, of which people like the first better, in four ways of writing them.

    prompt            {prompt, chosen, rejected}: strings, or lists of messages
    instruction       {instruction, input?, chosen, rejected}
    transcript        {chosen, rejected}: HH-RLHF's "\\n\\nHuman: … \\n\\nAssistant: …", the prompt inside both
    conversation      {chosen, rejected}: lists of messages, the prompt inside both

Turns that both begin with belong to the prompt, also where one stands beside them; the answers are the assistant's
turns after them. Turns behind those answer different things: they are left out, and the rows counted. A pair of equal
answers says nothing: it is dropped and counted. An empty rejected answer is an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.data.records.conversations import as_messages, instruction_of
from tuppence.data.records.tables import BAD_ROW_HINT, Row, Table, parse_rows, read_table
from tuppence.tokenizer.chat_template import Message, Role, check_turns

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


@dataclass(frozen=True)
class Preference:
    """One comparison.

    Attributes:
        prompt: the conversation so far; its last turn is the user's.
        chosen: the answer that was liked better.
        rejected: the other one.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class PreferenceSet:
    """A file of preferences.

    Attributes:
        rows: in the file's order, without the equal pairs.
        format: "prompt", "instruction", "transcript" or "conversation".
        skipped_rows: bad ones that were left out, where that is allowed.
        equal_pairs: rows that were dropped because chosen and rejected are the same but for white space at the ends.
        cut_pairs: rows that go on behind the turn at which they part; what follows was left out.
    """

    rows: list[Preference]
    format: str
    skipped_rows: int
    equal_pairs: int
    cut_pairs: int = 0


def read_preferences(path: str | Path, *, skip_bad_rows: bool = False) -> PreferenceSet:
    """Reads preferences, whatever their format.

    Raises:
        InputError: the file cannot be read or has no format we know; a row lacks `chosen` or `rejected`, has an empty
            `chosen`, or turns out of order (unless skipped); no pair differs.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "pairs.jsonl"
        >>> _ = file.write_text('{"prompt": "2 + 3?", "chosen": "5", "rejected": "6"}')
        >>> read_preferences(str(file)).rows
        [Preference(prompt=(Message(role='user', content='2 + 3?'),), chosen='5', rejected='6')]
    """
    table = read_table(str(path), skip_bad_rows=skip_bad_rows)
    name = _recognise(table)

    cut: set[str] = set()

    def parse(row: Row) -> Preference:
        for column in ("chosen", "rejected"):
            if row.values.get(column) is None:
                raise InputError(f"{row.where}: it has no '{column}' answer", BAD_ROW_HINT)
        try:
            pair, goes_on = _parse(row, name)
            if goes_on:
                cut.add(row.where)
            return pair
        except InputError as error:
            message = error.message if error.message.startswith(row.where) else f"{row.where}: {error.message}"
            raise InputError(message, error.hint) from error

    pairs, skipped = parse_rows(table, parse, skip_bad_rows=skip_bad_rows)
    rows = [pair for pair in pairs if pair.chosen.strip() != pair.rejected.strip()]
    if not rows:
        raise InputError(
            f"{path}: chosen and rejected are equal in all of its rows", "there is nothing to learn from it"
        )
    return PreferenceSet(rows, name, skipped, equal_pairs=len(pairs) - len(rows), cut_pairs=len(cut))


def _recognise(table: Table) -> str:
    """The format of the first row that has `chosen`."""
    for row in table.rows:
        if "chosen" not in row.values:
            continue
        if "prompt" in row.values:
            return "prompt"
        if "instruction" in row.values:
            return "instruction"
        if isinstance(row.values["chosen"], list):
            return "conversation"
        if _TURN.search(str(row.values["chosen"])):
            return "transcript"
    raise InputError(
        f"{table.path} holds no preferences that we recognise: its rows have {', '.join(table.columns[:12])}",
        "rows should have prompt (or instruction), chosen and rejected",
    )


def _parse(row: Row, name: str) -> tuple[Preference, bool]:
    """The pair, and whether turns behind it were left out."""
    if name == "instruction":
        prompt: list[Message] = [instruction_of(row, "input")]
    elif name == "prompt":
        prompt = _prompt(row)
    else:
        prompt = []
    if name == "transcript":
        chosen, rejected = (_transcript(row.text(column), row.where) for column in ("chosen", "rejected"))
    else:
        chosen, rejected = (as_messages(row, column, speaker="assistant") for column in ("chosen", "rejected"))
    if chosen and chosen[0].role != "assistant":  # whole conversations, also where the prompt stands beside them
        prompt = []
    common, chosen, rejected = _without_common_beginning(chosen, rejected)
    prompt += common
    if not (chosen and rejected) or chosen[0].role != "assistant" or rejected[0].role != "assistant":
        raise InputError(f"{row.where}: the two do not part at an answer of the assistant", BAD_ROW_HINT)
    check_turns(prompt)
    if prompt[-1].role != "user":
        raise InputError(f"{row.where}: the prompt's last turn is not the user's", BAD_ROW_HINT)
    if not chosen[0].content.strip():
        raise InputError(f"{row.where}: the chosen answer is empty", BAD_ROW_HINT)
    pair = Preference(tuple(prompt), chosen[0].content.strip(), rejected[0].content.strip())
    return pair, max(len(chosen), len(rejected)) > 1


def _prompt(row: Row) -> list[Message]:
    """The turns of `prompt`; a transcript in it is read as one, without the "Assistant:" it may end with."""
    value = row.values.get("prompt")
    if not (isinstance(value, str) and value.lstrip().startswith("Human:")):
        return as_messages(row, "prompt", speaker="user")
    turns = _transcript(value, row.where)
    return turns[:-1] if turns[-1].role == "assistant" and not turns[-1].content else turns


def _transcript(text: str, where: str) -> list[Message]:
    """The turns of "\\n\\nHuman: … \\n\\nAssistant: …"; turns in a row of one speaker become one turn."""
    before, *parts = _TURN.split(text)
    if before.strip() or not parts:
        raise InputError(f"{where}: a transcript should begin with 'Human:'", BAD_ROW_HINT)
    turns: list[Message] = []
    for speaker, content in zip(parts[::2], parts[1::2], strict=True):
        role: Role = "user" if speaker == "Human" else "assistant"
        if turns and turns[-1].role == role:
            content = f"{turns.pop().content}\n\n{content.strip()}"
        turns.append(Message(role, content.strip()))
    return turns


def _without_common_beginning(
    chosen: Sequence[Message], rejected: Sequence[Message]
) -> tuple[list[Message], list[Message], list[Message]]:
    """(the turns both begin with, the rest of each); the common part leaves each at least one turn."""
    common = 0
    while common < min(len(chosen), len(rejected)) - 1 and chosen[common] == rejected[common]:
        common += 1
    return list(chosen[:common]), list(chosen[common:]), list(rejected[common:])
