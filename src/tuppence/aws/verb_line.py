"""A verb line with its places marked, as the command line hands it to `launch`.

Only the command line knows which arguments of a verb name inputs and outputs; this package must not import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Use = Literal["run", "input", "output"]
"""What a verb does with a place: read a run (without its checkpoints), read anything else, or write."""


@dataclass(frozen=True)
class Place:
    """A word of a verb line that names a place.

    Attributes:
        index: of the word.
        before: what stands before the place in that word, such as `--data=` or `lambada=`.
        value: the place.
        use: what the verb does with it.
        name: how a message calls the argument, such as `--data`.
    """

    index: int
    before: str
    value: str
    use: Use
    name: str


@dataclass(frozen=True)
class VerbLine:
    """A verb and its arguments.

    Attributes:
        verb: such as "finetune classify".
        words: the arguments, as given, without `--budget` and `--rate`.
        places: those that name places.
        budget_usd: the value of `--budget` among the arguments, if it was there.
        takes_budget: whether the verb has `--budget` and `--rate`, so that it keeps a cap by itself.
        writes_run: whether its output is a run, which a job can continue after an interruption.
        several_ranks: whether it can use several devices and machines.
        values: name of each option → its value, for an estimate of the model's size.
    """

    verb: str
    words: tuple[str, ...]
    places: tuple[Place, ...]
    budget_usd: float | None
    takes_budget: bool
    writes_run: bool
    several_ranks: bool
    values: dict[str, object]
