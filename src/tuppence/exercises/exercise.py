"""What an exercise is: a function to write, and properties that the function must have.

A property has inputs, smallest first, so that the first failure is a small counterexample. The chapters' files hold the
exercises; `judge` runs them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tuppence.core.console import counted
from tuppence.exercises.catalog import Entry
from tuppence.exercises.plain import Other
from tuppence.exercises.showing import show


class UnfitError(Exception):
    """A result has the wrong type, shape or length; the text says which one is needed."""


class Draw:
    """Random inputs from one seed.

    Example:
        >>> Draw("7").integer(1, 6) == Draw("7").integer(1, 6)
        True
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._generator = torch.Generator().manual_seed(self._random.getrandbits(63))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return self._random.randint(low, high)

    def integers(self, count: int, low: int, high: int) -> list[int]:
        """`count` whole numbers from `low` to `high`, both included."""
        return [self._random.randint(low, high) for _ in range(count)]

    def number(self, low: float, high: float) -> float:
        """A number with two decimals."""
        return round(self._random.uniform(low, high), 2)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        """Normally distributed numbers with two decimals, float32."""
        return (torch.randn(shape, generator=self._generator) * scale * 100).round() / 100

    def shuffled(self, values: Iterable[Any]) -> list[Any]:
        """The values in a random order."""
        values = list(values)
        self._random.shuffle(values)
        return values


class Callee(Protocol):
    """What can be called as a `Learner`'s process can."""

    def begin_property(self) -> None:
        """Called before the calls of each property."""

    def call(self, arguments: Sequence[Any], *, gradients: bool = False) -> dict[str, Any]:
        """See `Learner.call`."""

    def calls(self, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """See `Learner.calls`."""

    def device(self) -> str:
        """See `Learner.device`."""


class Calls:
    """The learner's function, as a property calls it. It keeps the calls of one input, to show them.

    Args:
        learner: the process of the function.
        fit: checks and converts a result; raises `UnfitError`.
    """

    def __init__(self, learner: Callee, fit: Callable[[Any], Any]) -> None:
        self._learner, self._fit = learner, fit
        self.made: list[tuple[list[Any], Any]] = []

    def __call__(self, *arguments: Any) -> Any:
        """The result of one call.

        Raises:
            CallError, UnfitError: there is none, or it has the wrong type.
        """
        return self.with_arguments(*arguments)[0]

    def with_arguments(self, *arguments: Any) -> tuple[Any, list[Any]]:
        """The result of one call, and the arguments as they are after it."""
        self.made.append((list(arguments), NOTHING))
        reply = self._learner.call(arguments)
        self.made[-1] = (list(arguments), reply["value"])
        return self._fit(reply["value"]), reply["arguments"]

    def many(self, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of several calls. Only the arguments of the first are shown."""
        self.made.append((list(arguments[0]), NOTHING))
        values = self._learner.calls(arguments)
        self.made[-1] = (list(arguments[0]), values[0])
        return [self._fit(value) for value in values]

    def gradients(self, *arguments: Any) -> list[Tensor]:
        """Gradients of a weighted sum of the result, for each tensor of floats in the arguments; see `child.gradients`.

        Raises:
            UnfitError: torch cannot follow the computation.
        """
        self.made.append((list(arguments), NOTHING))
        reply = self._learner.call(arguments, gradients=True)
        self.made[-1] = (list(arguments), reply["value"])
        self._fit(reply["value"])
        found: list[Tensor] | None = reply["gradients"]
        if found is None:
            raise UnfitError("has no gradient: compute it with torch from the arguments, without detach or item")
        return found

    def device(self) -> str:
        """The device that torch offers in the function's process."""
        return self._learner.device()


NOTHING = Other("nothing", "")
"""In place of the result of a call that gave none."""


@dataclass(frozen=True)
class Property:
    """One thing that is true of a right answer.

    Attributes:
        statement: it in words, a sentence without a full stop.
        inputs: the inputs it is tried on, smallest first.
        holds: None if it holds for an input; else one line that says what is wrong, without the right value.
        hint: what to think about.
        second_hint: shown from the third failed try on; that of the exercise if it is empty.
    """

    statement: str
    inputs: Callable[[Draw], Iterable[tuple[Any, ...]]]
    holds: Callable[..., str | None]
    hint: str
    second_hint: str = ""


@dataclass(frozen=True)
class Exercise:
    """A function to write.

    Attributes:
        chapter: of the course.
        name: of the function.
        parameters: names of its arguments.
        task: what to write, with shapes.
        difficulty, importance: 1 to 3.
        minutes: how long to try.
        fit: checks and converts a result; raises `UnfitError`.
        properties: in the order in which they are tried.
        second_hint: shown from the third failed try on, where a property has none of its own.
        answer: a function that has all properties. Nobody sees it in a message.
    """

    chapter: int
    name: str
    parameters: tuple[str, ...]
    task: str
    difficulty: int
    importance: int
    minutes: int
    fit: Callable[[Any], Any]
    properties: tuple[Property, ...]
    second_hint: str
    answer: Callable[..., Any]

    @property
    def key(self) -> str:
        """Its name in the whole course: two chapters have a `merge`."""
        return f"{self.chapter}/{self.name}"

    @property
    def entry(self) -> Entry:
        """The exercise in the list of all."""
        return Entry(self.chapter, self.name, self.minutes, len(self.properties))

    @property
    def signature(self) -> str:
        """The signature to write."""
        return f"{self.name}({', '.join(self.parameters)})"


def a_tensor(value: Any) -> Tensor:
    """Fits a tensor or a NumPy array."""
    if isinstance(value, Tensor):
        return value
    raise UnfitError(f"is {kind_of(value)}; a tensor is needed")


def first_tensor(value: Any) -> Tensor:
    """Fits a tensor, or the first of a pair, such as output and weights."""
    return a_tensor(value[0] if isinstance(value, tuple) and len(value) == 2 else value)


def a_number(value: Any) -> float:
    """Fits a number, or a tensor with one."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, int | float):
        return float(value)
    raise UnfitError(f"is {kind_of(value)}; one number is needed")


def a_list(value: Any) -> list[Any]:
    """Fits a list, a tuple, or a tensor with one dimension."""
    if isinstance(value, Tensor) and value.ndim == 1:
        values: list[Any] = value.tolist()
        return values
    if isinstance(value, list | tuple):
        return [item.item() if isinstance(item, Tensor) and item.numel() == 1 else item for item in value]
    raise UnfitError(f"is {kind_of(value)}; a list is needed")


def kind_of(value: Any) -> str:
    """The type of a value, in words."""
    if value is None:
        return "None (is there a return statement?)"
    if isinstance(value, Tensor):
        return f"a tensor of the shape {tuple(value.shape)}"
    if isinstance(value, Other):
        return f"a value of the type {value.type_name}"
    return f"a value of the type {type(value).__name__}"


def differs(value: Any, wanted: Any, tolerance: float = 1e-4) -> str | None:
    """None if a result equals `wanted` up to rounding; else what is wrong with it, without the right value.

    Raises:
        UnfitError: its shape or length is wrong.
    """
    if isinstance(wanted, Tensor):
        if value.shape != wanted.shape:
            raise UnfitError(f"has the shape {tuple(value.shape)}; {tuple(wanted.shape)} is needed")
        value, wanted = value.double(), wanted.double()
        right = torch.isclose(value, wanted, rtol=tolerance, atol=tolerance)
        return None if right.all() else not_finite(value) or _which(value, wanted, right)
    if isinstance(wanted, float):
        return differs(torch.tensor(float(value)), torch.tensor(wanted), tolerance)
    if value == wanted:
        return None
    if isinstance(value, list) and isinstance(wanted, list):
        return _which_item(value, wanted)
    return f"{show(value)} is wrong"


def _which(value: Tensor, wanted: Tensor, right: Tensor) -> str:
    """Where a tensor is wrong first, and in which direction."""
    place = (~right).nonzero()[0].tolist()
    found, other = value[tuple(place)].item(), wanted[tuple(place)].item()
    size = too(found, other)
    if not place:
        return f"{found:.6g} is {size}"
    wrong = int((~right).sum())
    which = "all numbers are wrong" if wrong == value.numel() > 1 else f"{wrong} of {counted(value.numel(), 'number')}"
    if wrong < value.numel():
        which += " is wrong" if wrong == 1 else " are wrong"
    elif value.numel() == 1:
        which = "the number is wrong"
    return f"{which}: {found:.6g} at {place} is {size}"


def _which_item(value: list[Any], wanted: list[Any]) -> str:
    """Where a list is wrong first."""
    for place, (one, other) in enumerate(zip(value, wanted, strict=False)):
        if one != other:
            return f"the first wrong item is number {place}, counted from 0: {show(one)}"
    return f"with {counted(len(value), 'item')} the list is too {'short' if len(value) < len(wanted) else 'long'}"


def too(value: float, wanted: float) -> str:
    """In which direction a wrong number is wrong."""
    return "too small" if value < wanted else "too large"


def not_finite(value: Tensor) -> str | None:
    """What is wrong with a tensor that has NaN or infinity; None for another."""
    if torch.isnan(value).any():
        return "the result has NaN"
    return "the result has infinity" if torch.isinf(value).any() else None
