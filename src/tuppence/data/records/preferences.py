"""Preferences: a prompt with a preferred and a rejected answer, in the formats of public files.

    prompt            {prompt | question | input, chosen, rejected}: strings, or lists of messages
    instruction       {instruction, input?, chosen, rejected}
    ranked            {instruction, input?, output: [chosen, rejected]}
    conversations     {conversations | messages, chosen, rejected}: the prompt as turns, the answers as messages
    openai            {input: {messages}, preferred_output, non_preferred_output}
    transcript        {chosen, rejected}: HH-RLHF's "\\n\\nHuman: … \\n\\nAssistant: …", the prompt inside both
    conversation      {chosen, rejected}: lists of messages, the prompt inside both

A column `system` holds a system message, and a column `history` earlier turns, as in `conversations`. The common first
turns of `chosen` and `rejected` are added to the prompt, even if the row has a prompt column. The answers are the
assistant's turns after these common turns. Later turns belong to two different conversations: they are left out, and
the rows are counted. A pair of equal answers is dropped and counted. An empty rejected answer is allowed. `unused`
lists all other columns. `row_weights` says which rows are left out of training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.messages import as_messages, context_of, instruction_of
from tuppence.data.records.row_weights import find_row_weights, trained_rows
from tuppence.data.records.rows import Row
from tuppence.data.records.tables import Table, parse_rows, read_table
from tuppence.data.records.unused import Unused, find_unused
from tuppence.tokenizer.chat_template import Message, Role, check_turns

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


@dataclass(frozen=True)
class Preference:
    """One comparison.

    Attributes:
        prompt: the conversation so far; its last turn is the user's.
        chosen: the preferred answer.
        rejected: the other answer.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class PreferenceSet:
    """A file of preferences.

    Attributes:
        rows: in the order of the file, without the equal pairs.
        format: one of the formats listed above.
        skipped_rows: number of bad rows that were left out, if that is allowed.
        equal_pairs: rows that were dropped because chosen and rejected differ only in white space at the ends.
        cut_pairs: rows with further turns after the two answers; these turns were left out.
        untrained_rows: rows that were left out because the file excludes them from training.
        unused: what was not used of the file.
    """

    rows: list[Preference]
    format: str
    skipped_rows: int
    equal_pairs: int
    cut_pairs: int = 0
    untrained_rows: int = 0
    unused: Unused = field(default_factory=lambda: Unused({}))


def read_preferences(path: str | Path, *, skip_bad_rows: bool = False, trained_only: bool = False) -> PreferenceSet:
    """Reads preferences in any of the formats above.

    Args:
        trained_only: leave out the rows that the file excludes from training.

    Raises:
        InputError: the file cannot be read or its format is unknown; a row lacks `chosen` or `rejected`, has an empty
            `chosen`, or has turns in a wrong order (unless skipped); no pair has two different answers.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "pairs.jsonl"
        >>> _ = file.write_text('{"prompt": "2 + 3?", "chosen": "5", "rejected": "6"}')
        >>> read_preferences(str(file)).rows
        [Preference(prompt=(Message(role='user', content='2 + 3?'),), chosen='5', rejected='6')]
    """
    table = read_table(str(path), skip_bad_rows=skip_bad_rows)
    name = _recognise(table)
    used = {"system", "history", *_ANSWERS, *_used_columns(table, name)}
    weights = find_row_weights(table, used) if trained_only else frozenset()
    kept = trained_rows(str(path), table.rows, weights)

    cut: set[str] = set()

    def parse(row: Row) -> Preference:
        row = _with_named_answers(row)
        for column in _ANSWERS:
            if row.values.get(column) is None:
                raise BadRowError(f"{row.where}: it has no '{column}' answer")
        try:
            pair, is_cut = _parse(row, name)
            if is_cut:
                cut.add(row.where)
            return pair
        except InputError as error:
            if error.message.startswith(row.where):
                raise
            raise BadRowError(f"{row.where}: {error.message} ({error.hint})") from error

    pairs, skipped = parse_rows(replace(table, rows=kept), parse, skip_bad_rows=skip_bad_rows)
    rows = [pair for pair in pairs if pair.chosen.strip() != pair.rejected.strip()]
    if not rows:
        raise InputError(
            f"{path}: chosen and rejected are equal in all rows", "name a file with pairs of different answers"
        )
    return PreferenceSet(
        rows,
        name,
        skipped,
        equal_pairs=len(pairs) - len(rows),
        cut_pairs=len(cut),
        untrained_rows=len(table.rows) - len(kept),
        unused=find_unused(table, used, weights),
    )


def holds_preferences(table: Table) -> bool:
    """Whether a file has pairs of answers, in any format."""
    return any("chosen" in _with_named_answers(row).values for row in table.rows)


_ANSWERS = ("chosen", "rejected")
_OPENAI = ("preferred_output", "non_preferred_output")
_PROMPTS = ("prompt", "question", "input")


def _with_named_answers(row: Row) -> Row:
    """The row with its answers in `chosen` and `rejected`, and its prompt in a column that `_recognise` knows."""
    values = row.values
    if set(_OPENAI) & values.keys():
        asked = values.get("input")
        turns = asked.get("messages") if isinstance(asked, dict) else asked
        rest = {key: value for key, value in values.items() if key not in ("input", *_OPENAI)}
        answers = dict(zip(_ANSWERS, (values.get(key) for key in _OPENAI), strict=True))
        return Row(row.where, {**rest, "messages": turns, **answers})
    ranked = values.get("output")
    if "chosen" not in values and isinstance(ranked, list) and len(ranked) == 2:
        return Row(row.where, {**values, "chosen": ranked[0], "rejected": ranked[1]})
    return row


def _recognise(table: Table) -> str:
    """The format of the first row that has two answers."""
    for original in table.rows:
        row = _with_named_answers(original)
        if "chosen" not in row.values:
            continue
        if row is not original:
            return "openai" if set(_OPENAI) & original.values.keys() else "ranked"
        if "prompt" in row.values:
            return "prompt"
        if "instruction" in row.values:
            return "instruction"
        if "conversations" in row.values or "messages" in row.values:
            return "conversations"
        if isinstance(row.values["chosen"], list):
            return "conversation"
        if _TURN.search(str(row.values["chosen"])):
            return "transcript"
        if set(_PROMPTS) & row.values.keys():
            return "prompt"
    if any(isinstance(row.values.get(column), bool) for row in table.rows for column in ("label", "kto_tag")):
        raise InputError(
            f"{table.path} has single answers with a label (KTO), not pairs of answers",
            "train on the answers with label true: tuppence finetune instruct",
        )
    raise InputError(
        f"{table.path} has no preferences in a known format: its rows have {', '.join(table.columns[:12])}",
        "rows should have prompt (or instruction), chosen and rejected",
    )


def _used_columns(table: Table, name: str) -> set[str]:
    """The columns that the prompts of a format are read from."""
    if name == "prompt":
        return {next((column for column in _PROMPTS if column in table.columns), "prompt")}
    return {
        "instruction": {"instruction", "input"},
        "ranked": {"instruction", "input", "output"},
        "conversations": {"conversations" if "conversations" in table.columns else "messages"},
        "openai": {"input", *_OPENAI},
    }.get(name, set())


def _parse(row: Row, name: str) -> tuple[Preference, bool]:
    """Returns the pair, and whether turns after its answers were left out."""
    if name in ("instruction", "ranked"):
        prompt: list[Message] = [instruction_of(row, "input")]
    elif name == "prompt":
        prompt = _prompt(row)
    elif name in ("conversations", "openai"):
        prompt = as_messages(row, "conversations" if "conversations" in row.values else "messages", speaker="user")
    else:
        prompt = []
    if name == "transcript":
        chosen, rejected = (_transcript(row.text(column), row.where) for column in ("chosen", "rejected"))
    else:
        chosen, rejected = (as_messages(row, column, speaker="assistant") for column in ("chosen", "rejected"))
    if chosen and chosen[0].role != "assistant":  # whole conversations, possibly beside a prompt column
        prompt = prompt[:1] if prompt and prompt[0].role == "system" and chosen[0].role == "user" else []
    common, chosen, rejected = _without_common_beginning(chosen, rejected)
    prompt += common
    prompt = [*context_of(row, prompt), *prompt]
    if not (chosen and rejected) or chosen[0].role != "assistant" or rejected[0].role != "assistant":
        raise BadRowError(f"{row.where}: chosen and rejected do not differ first at an answer of the assistant")
    check_turns(prompt)
    if not all(message.content.strip() for message in prompt if message.role == "user"):
        raise BadRowError(f"{row.where}: the user's turn is empty")
    if prompt[-1].role != "user":
        raise BadRowError(f"{row.where}: the prompt's last turn is not the user's")
    if not chosen[0].content.strip():
        raise BadRowError(f"{row.where}: the chosen answer is empty")
    pair = Preference(tuple(prompt), chosen[0].content.strip(), rejected[0].content.strip())
    return pair, max(len(chosen), len(rejected)) > 1


def _prompt(row: Row) -> list[Message]:
    """The turns of the prompt. A transcript is split into its turns, without a final empty "Assistant:"."""
    column = next((column for column in _PROMPTS if column in row.values), "prompt")
    value = row.values.get(column)
    if not (isinstance(value, str) and value.lstrip().startswith("Human:")):
        return as_messages(row, column, speaker="user")
    turns = _transcript(value, row.where)
    return turns[:-1] if turns[-1].role == "assistant" and not turns[-1].content else turns


def _transcript(text: str, where: str) -> list[Message]:
    """The turns of "\\n\\nHuman: … \\n\\nAssistant: …"; consecutive turns of one speaker are joined."""
    before, *parts = _TURN.split(text)
    if before.strip() or not parts:
        raise BadRowError(f"{where}: a transcript should begin with 'Human:'")
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
    """Returns (common first turns, rest of `chosen`, rest of `rejected`). Each rest has at least one turn."""
    common = 0
    while common < min(len(chosen), len(rejected)) - 1 and chosen[common] == rejected[common]:
        common += 1
    return list(chosen[:common]), list(chosen[common:]), list(rejected[common:])
