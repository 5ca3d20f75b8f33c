"""The list of all exercises, without torch: names, minutes and numbers of properties. A test compares it with them.

`tuppence check` lists them and finds a wrong name before it imports torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tuppence.core.errors import InputError


@dataclass(frozen=True)
class Entry:
    """An exercise in the list.

    Attributes:
        chapter: of the course.
        name: of the function to write.
        minutes: how long to try.
        properties: how many are tried.
    """

    chapter: int
    name: str
    minutes: int
    properties: int

    @property
    def key(self) -> str:
        """Its name in the whole course: two chapters have a `merge`."""
        return f"{self.chapter}/{self.name}"


CATALOG = (
    Entry(1, "count_parameters", 15, 5),
    Entry(1, "training_cost", 10, 5),
    Entry(1, "grad_by_hand", 5, 2),
    Entry(1, "knowledge_check", 10, 4),
    Entry(2, "merge", 10, 4),
    Entry(2, "encode_word", 20, 4),
    Entry(2, "windows", 15, 3),
    Entry(3, "causal_mask", 10, 4),
    Entry(3, "attention", 20, 10),
    Entry(3, "multi_head", 25, 7),
    Entry(4, "layer_norm", 10, 6),
    Entry(4, "block", 30, 5),
    Entry(4, "sample", 30, 7),
    Entry(5, "cross_entropy", 15, 6),
    Entry(5, "adamw_step", 25, 4),
    Entry(5, "accumulate", 5, 3),
    Entry(6, "last_token", 10, 3),
    Entry(6, "f1", 15, 3),
    Entry(6, "auc", 15, 4),
    Entry(7, "mask_prompt", 10, 4),
    Entry(7, "lora_forward", 15, 5),
    Entry(7, "merge", 10, 4),
    Entry(8, "bradley_terry", 10, 5),
    Entry(8, "dpo_loss", 25, 5),
    Entry(8, "gae", 20, 4),
    Entry(8, "ppo_clip", 15, 4),
)
"""All exercises, in the order of the course."""


class Named(Protocol):
    """What `by_what` chooses from: an `Entry`, or an `Exercise`."""

    @property
    def chapter(self) -> int:
        """Chapter of the course."""

    @property
    def name(self) -> str:
        """Name of the function to write."""

    @property
    def key(self) -> str:
        """Its name in the whole course."""


AnyNamed = TypeVar("AnyNamed", bound=Named)


def by_what(exercises: Sequence[AnyNamed], what: str | int) -> list[AnyNamed]:
    """The exercises of a chapter, or those with a name.

    Args:
        what: 3, "3" or "attention".

    Raises:
        InputError: there is none.

    Example:
        >>> [entry.key for entry in by_what(CATALOG, "merge")]
        ['2/merge', '7/merge']
    """
    text = str(what).strip()
    if text.isdigit():
        found = [exercise for exercise in exercises if exercise.chapter == int(text)]
        if not found:
            chapters = sorted({exercise.chapter for exercise in exercises})
            raise InputError(
                f"chapter {text} has no exercises", f"choose a chapter from {chapters[0]} to {chapters[-1]}"
            )
        return found
    found = [exercise for exercise in exercises if text in (exercise.name, exercise.key)]
    if not found:
        close = difflib.get_close_matches(text, [exercise.name for exercise in exercises], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"there is no exercise {text!r}", f"{hint}`tuppence check` lists all".strip())
    return found
