"""The prompts that PPO answers: those of a file of preferences or of instructions; their answers are not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuppence.core.console import counted, warn
from tuppence.core.errors import InputError
from tuppence.data.records.conversations import Conversation, read_conversations
from tuppence.data.records.encoding import encode_prompt
from tuppence.data.records.leaks import count_shared, normalise, prompt_of
from tuppence.data.records.preferences import Preference, read_preferences
from tuppence.data.records.splits import hold_out
from tuppence.data.records.tables import read_table
from tuppence.tokenizer import Tokenizer

Row = Preference | Conversation


@dataclass(frozen=True)
class Prompts:
    """Prompts in ids, none of them in both parts.

    Attributes:
        train: to be answered in rollouts.
        val: held out.
    """

    train: list[list[int]]
    val: list[list[int]]


def read_prompts(
    data: Path, val: Path | None, tokenizer: Tokenizer, *, room: int, val_fraction: float, eval_prompts: int, seed: int
) -> Prompts:
    """Reads, parts and encodes prompts; each prompt once, however often the file has it.

    Args:
        data: preferences or instructions, in any format that we read.
        val: held-out ones; a part of `data` where there is none.
        room: the most tokens that a prompt may have; longer ones lose their beginning, and are counted.
        eval_prompts: of the held-out ones, the first so many are used.

    Raises:
        InputError: a file cannot be read, or nothing is left to train on.
    """
    rows = _read(data)
    if val is None:
        rows, held_out = hold_out(rows, val_fraction, seed=seed, key=prompt_of)
    else:
        held_out = _read(val)
        shared = count_shared(map(prompt_of, rows), [prompt_of(row) for row in held_out])
        if shared.count:
            known = {normalise(prompt_of(row)) for row in held_out}
            rows = [row for row in rows if normalise(prompt_of(row)) not in known]
            warn(f"{counted(shared.count, 'prompt')} of {val} also in {data}: left out of training")
        if not rows:
            raise InputError(f"every prompt of {data} is in {val}", "give another validation file, or none")
    train = _encode(rows, tokenizer, room, "training")
    return Prompts(train, _encode(held_out, tokenizer, room, "held-out")[:eval_prompts])


def _read(path: Path) -> list[Row]:
    """The rows of a file, the first of each prompt."""
    rows: Sequence[Row]
    first: dict[str, Row] = {}
    if "chosen" in read_table(str(path)).columns:
        rows = read_preferences(str(path)).rows
    else:
        rows = read_conversations(str(path)).rows
    for row in rows:
        first.setdefault(normalise(prompt_of(row)), row)
    return list(first.values())


def _encode(rows: Sequence[Row], tokenizer: Tokenizer, room: int, name: str) -> list[list[int]]:
    messages = [row.prompt if isinstance(row, Preference) else row.messages[:-1] for row in rows]
    prompts = [encode_prompt(tokenizer, turns) for turns in messages]
    cut = sum(len(prompt) > room for prompt in prompts)
    if cut:
        warn(f"{counted(cut, f'{name} prompt')} cut at the left to {room:,} tokens, so that an answer fits behind")
    return [prompt[-room:] for prompt in prompts]
