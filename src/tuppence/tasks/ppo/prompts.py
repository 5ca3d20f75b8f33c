"""The prompts of PPO: those of a file of preferences or instructions. Its answers are not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuppence.core.console import counted, warn
from tuppence.data.records.conversations import Conversation, read_conversations
from tuppence.data.records.encoding import encode_prompt
from tuppence.data.records.leaks import normalise, prompt_of
from tuppence.data.records.preferences import Preference, holds_preferences, read_preferences
from tuppence.data.records.tables import read_table
from tuppence.tasks.answers import prompt_messages
from tuppence.tasks.rows import RowFiles, say_left_out
from tuppence.tokenizer import Tokenizer

Row = Preference | Conversation


@dataclass(frozen=True)
class Prompts:
    """Encoded prompts. No prompt is in both parts.

    Attributes:
        train: the prompts of rollouts.
        val: held-out prompts.
        rows: the rows of `train`.
    """

    train: list[list[int]]
    val: list[list[int]]
    rows: list[Row]


def read_prompts(
    files: RowFiles,
    tokenizer: Tokenizer,
    *,
    most_tokens: int,
    val_fraction: float,
    eval_prompts: int,
    seed: int,
) -> Prompts:
    """Reads, splits and encodes prompts. Repeated prompts are used once.

    Args:
        files: of preferences or instructions, in any format that `data.records` reads.
        most_tokens: longer prompts lose their beginning; their number is printed.
        val_fraction, seed: of the split, if there is no file of held-out prompts.
        eval_prompts: largest number of held-out prompts.

    Raises:
        InputError: a file cannot be read, or nothing is left to train on.
    """
    rows, held_out = files.split(
        lambda path: _read(path, files),
        fraction=val_fraction,
        seed=seed,
        key=prompt_of,
        noun="prompt",
    )
    train = _encode(rows, tokenizer, most_tokens, "training")
    return Prompts(train, _encode(held_out, tokenizer, most_tokens, "held-out")[:eval_prompts], rows)


def _read(path: Path, files: RowFiles) -> list[Row]:
    """The first row of each prompt in a file."""
    preferences = holds_preferences(read_table(str(path), skip_bad_rows=files.skip_bad_rows))
    reader = read_preferences if preferences else read_conversations
    found = reader(str(path), skip_bad_rows=files.skip_bad_rows, trained_only=path == files.data)
    say_left_out(path, found.skipped_rows, found.untrained_rows, found.unused)
    first: dict[str, Row] = {}
    for row in found.rows:
        first.setdefault(normalise(prompt_of(row)), row)
    return list(first.values())


def _encode(rows: Sequence[Row], tokenizer: Tokenizer, most_tokens: int, name: str) -> list[list[int]]:
    prompts = [encode_prompt(tokenizer, prompt_messages(row)) for row in rows]
    cut = sum(len(prompt) > most_tokens for prompt in prompts)
    if cut:
        warn(f"{counted(cut, f'{name} prompt')} cut at the left to {most_tokens:,} tokens, to leave room for an answer")
    return [prompt[-most_tokens:] for prompt in prompts]
