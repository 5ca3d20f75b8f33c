"""Exercises of chapter 1: count parameters, compute a price, and the knowledge check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tuppence.exercises import answers
from tuppence.exercises.exercise import (
    Calls,
    Draw,
    Exercise,
    Property,
    UnfitError,
    a_number,
    a_tensor,
    differs,
    kind_of,
    too,
)

Sizes = tuple[int, int, int, int]


def _sizes(draw: Draw) -> Iterator[Sizes]:
    yield 1, 1, 1, 1
    yield 1, 2, 3, 4
    for largest in (8, 64, 1000):
        yield draw.integer(1, 12), draw.integer(2, largest), draw.integer(2, 10 * largest), draw.integer(2, largest)


def _linear_in_layers(count: Calls, layers: int, *sizes: int) -> str | None:
    one, two, three = (count(layers + more, *sizes) for more in range(3))
    if two - one == three - two > 0:
        return None
    return f"one more layer adds {two - one:,.0f}, and the next one {three - two:,.0f}"


def _one_more_token(count: Calls, layers: int, width: int, vocabulary: int, context: int) -> str | None:
    before = count(layers, width, vocabulary, context)
    added = count(layers, width, vocabulary + 1, context) - before
    return None if added == width else f"one more token adds {added:,.0f}; d_model is {width}"


def _one_more_position(count: Calls, layers: int, width: int, vocabulary: int, context: int) -> str | None:
    before = count(layers, width, vocabulary, context)
    added = count(layers, width, vocabulary, context + 1) - before
    return None if added == width else f"one more position adds {added:,.0f}; d_model is {width}"


def _one_layer(count: Calls, layers: int, *sizes: int) -> str | None:
    added = count(layers + 1, *sizes) - count(layers, *sizes)
    right = answers.count_parameters(layers + 1, *sizes) - answers.count_parameters(layers, *sizes)
    return None if added == right else f"one more layer adds {added:,.0f}, which is {too(added, right)}"


def _whole_count(count: Calls, *sizes: int) -> str | None:
    found, right = count(*sizes), answers.count_parameters(*sizes)
    return None if found == right else f"blocks and tables are right, and {found:,.0f} in all is {too(found, right)}"


COUNT_PARAMETERS = Exercise(
    chapter=1,
    name="count_parameters",
    parameters=("n_layers", "d_model", "vocab_size", "context_length"),
    task="the number of parameters of a GPT-2 with these sizes; its MLP is 4 × d_model wide, and every linear layer "
    "and layer norm has a bias",
    difficulty=2,
    importance=3,
    minutes=15,
    fit=a_number,
    properties=(
        Property(
            "every layer adds the same number of parameters",
            _sizes,
            _linear_in_layers,
            "All blocks are alike. Count one block, then multiply.",
            "The tables and the last norm are there once, whatever n_layers is.",
        ),
        Property(
            "one more token in the vocabulary adds d_model parameters",
            _sizes,
            _one_more_token,
            "GPT-2 uses one table twice: to read tokens and to score them. How often does it count?",
            "The head is the token table again: it has no parameters of its own.",
        ),
        Property(
            "one more position adds d_model parameters",
            _sizes,
            _one_more_position,
            "Positions have a table of their own, with one row for each.",
            "A position is a row of d_model numbers.",
        ),
        Property(
            "a block has four linear layers and two layer norms, each with a bias",
            _sizes,
            _one_layer,
            "Write down the shape of each matrix of a block. Each also adds one number for each of its outputs.",
            "The four layers give 3, 1, 4 and 1 times d_model numbers. The last one reads 4 times d_model.",
        ),
        Property(
            "the whole count is that of the library's config",
            _sizes,
            _whole_count,
            "What is there outside the blocks? Follow a token from the first table to the scores.",
            "A layer norm has a scale and a shift. There is one more after the last block.",
        ),
    ),
    second_hint="A layer norm has a scale and a shift. There is one more after the last block.",
    answer=answers.count_parameters,
)


def _jobs(draw: Draw) -> Iterator[tuple[float, float, float, float, float]]:
    yield 1e9, 6e8, 10.0, 0.1, 1.0
    for _ in range(3):
        params, tokens = float(draw.integer(10, 2000) * 10**6), float(draw.integer(1, 300) * 10**8)
        yield params, tokens, float(draw.integer(10, 900)), draw.number(0.1, 0.6), draw.number(0.5, 40.0)


def _linear_in_tokens(cost: Calls, params: float, tokens: float, *rest: float) -> str | None:
    once, twice = cost(params, tokens, *rest), cost(params, 2 * tokens, *rest)
    return differs(twice / once, 2.0) if once > 0 else "the price is not above zero"


def _halves_with_mfu(cost: Calls, params: float, tokens: float, tflops: float, mfu: float, usd: float) -> str | None:
    once, better = cost(params, tokens, tflops, mfu, usd), cost(params, tokens, tflops, 2 * mfu, usd)
    return differs(once / better, 2.0) if better > 0 else "the price is not above zero"


def _ratio(cost: Calls, *job: float) -> float:
    """The learner's price over the right one: each usual mistake is a constant factor."""
    return float(cost(*job) / answers.training_cost(*job))


def _hours(cost: Calls, *job: float) -> str | None:
    ratio = _ratio(cost, *job)
    return None if 0.1 < ratio < 10 else f"the price is {too(ratio, 1)} by a factor of more than ten"


def _six(cost: Calls, *job: float) -> str | None:
    ratio = _ratio(cost, *job)
    usual = any(abs(ratio - count / 6) < 1e-3 for count in (1, 2, 3, 4, 8, 12))
    return f"the price is {too(ratio, 1)}, by the same factor for every job" if usual else None


def _price_as_it_is(cost: Calls, *job: float) -> str | None:
    ratio = _ratio(cost, *job)
    return differs(ratio, 1.0) and f"the price is {too(ratio, 1)}"


TRAINING_COST = Exercise(
    chapter=1,
    name="training_cost",
    parameters=("params", "tokens", "tflops", "mfu", "usd_per_hour"),
    task="the dollars that training costs: params and tokens as counts, tflops as the peak of the machine in 10¹² "
    "operations a second, mfu as the share of it that is used (0.3), usd_per_hour as what an hour is billed at",
    difficulty=1,
    importance=3,
    minutes=10,
    fit=a_number,
    properties=(
        Property(
            "twice the tokens cost twice as much",
            _jobs,
            _linear_in_tokens,
            "Nothing is free or fixed here.",
            "Is there a number in your sum that does not depend on the tokens?",
        ),
        Property(
            "twice the MFU costs half",
            _jobs,
            _halves_with_mfu,
            "MFU scales the speed of the machine.",
            "The machine does tflops × mfu × 10¹² operations a second.",
        ),
        Property(
            "seconds become hours once",
            _jobs,
            _hours,
            "Write the unit behind every number: operations, operations a second, seconds, hours, dollars an hour.",
            "Operations over operations a second are seconds. An hour has 3,600.",
        ),
        Property(
            "a parameter costs six operations for each token: two forward, four backward",
            _jobs,
            _six,
            "The backward pass computes a gradient for the inputs and one for the weights.",
            "Two operations are one multiplication and one addition. Count both passes.",
        ),
        Property(
            "the price of an hour is used as it is",
            _jobs,
            _price_as_it_is,
            "If usd_per_hour has a discount, it is in the number already.",
            "Multiply by usd_per_hour once, and by nothing else.",
        ),
    ),
    second_hint="Take a job of exactly one hour and compute by hand what it must cost.",
    answer=answers.training_cost,
)


def _points(draw: Draw) -> Iterator[tuple[float]]:
    yield from ((2.0,), (0.0,), (-1.5,))
    for _ in range(4):
        yield (draw.number(-20, 20),)


def _is_slope(slope: Calls, x: float) -> str | None:
    def y(x: float) -> float:
        return x**2 + 3 * x + 1

    step = 1e-4
    return differs(slope(x), (y(x + step) - y(x - step)) / (2 * step), 1e-5)


def _is_autograd(slope: Calls, x: float) -> str | None:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(point**2 + 3 * point + 1, point)
    return differs(slope(x), gradient.item(), 1e-9)


GRAD_BY_HAND = Exercise(
    chapter=1,
    name="grad_by_hand",
    parameters=("x",),
    task="dy/dx of y = x² + 3x + 1 at the number x, worked out with a pencil",
    difficulty=1,
    importance=2,
    minutes=5,
    fit=a_number,
    properties=(
        Property(
            "it is the slope: how much y changes for a small step of x, divided by the step",
            _points,
            _is_slope,
            "Not the value of y, but how fast it grows. Differentiate each of the three terms.",
        ),
        Property(
            "it is what autograd computes",
            _points,
            _is_autograd,
            "Use the exact rule, not a small step.",
            "A difference over a small step has rounding errors; a formula has none.",
        ),
    ),
    second_hint="At the bottom of the parabola, x = -1.5, the slope is zero.",
    answer=answers.grad_by_hand,
)


def _four(value: Any) -> tuple[Tensor, Tensor, float, str]:
    if not isinstance(value, tuple | list) or len(value) != 4:
        raise UnfitError(f"is {kind_of(value)}; four things are needed: product, sum, slope, device")
    return a_tensor(value[0]), a_tensor(value[1]), a_number(value[2]), str(value[3])


def _matrices(draw: Draw) -> Iterator[tuple[Tensor, Tensor, Tensor, float]]:
    yield torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]]), torch.tensor([10.0, 20.0]), 2.0
    yield (
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
        torch.tensor([10.0, 20.0]),
        2.0,
    )
    for _ in range(3):
        rows, inner = draw.integer(2, 5), draw.integer(2, 5)
        yield draw.normal(rows, inner), draw.normal(inner, draw.integer(2, 5)), draw.normal(inner), draw.number(-9, 9)


def _product(check: Calls, a: Tensor, b: Tensor, row: Tensor, x: float) -> str | None:
    return differs(check(a, b, row, x)[0], a @ b)


def _broadcast(check: Calls, a: Tensor, b: Tensor, row: Tensor, x: float) -> str | None:
    return differs(check(a, b, row, x)[1], torch.stack([one + row for one in a]))


def _slope(check: Calls, a: Tensor, b: Tensor, row: Tensor, x: float) -> str | None:
    return differs(check(a, b, row, x)[2], answers.grad_by_hand(x), 1e-5)


def _device(check: Calls, a: Tensor, b: Tensor, row: Tensor, x: float) -> str | None:
    found = check(a, b, row, x)[3].split(":")[0]
    here = "cuda" if torch.cuda.is_available() else "cpu"
    other = torch.backends.mps.is_available() and found == "mps"
    return None if found in (here, check.device()) or other else f"{found!r} is no device that torch can use here"


KNOWLEDGE_CHECK = Exercise(
    chapter=1,
    name="knowledge_check",
    parameters=("a", "b", "row", "x"),
    task="return four things: the matrix product of a (N, M) and b (M, K); a with row (M,) added to each of its rows; "
    'dy/dx of y = x² + 3x + 1 at the number x; the device that torch can use here, "cuda" or "cpu"',
    difficulty=1,
    importance=3,
    minutes=10,
    fit=_four,
    properties=(
        Property(
            "the first is the matrix product",
            _matrices,
            _product,
            "Rows of a meet columns of b.",
            "`*` multiplies number by number.",
        ),
        Property(
            "the second adds the row to each row of a",
            _matrices,
            _broadcast,
            "Broadcasting lines shapes up from the right.",
            "(N, M) and (M,) line up at their last sizes: no loop is needed.",
        ),
        Property(
            "the third is the slope at x",
            _matrices,
            _slope,
            "By hand, or let autograd do it.",
            "A tensor with requires_grad=True, backward, and its grad as a number.",
        ),
        Property(
            "the fourth is the device of this machine",
            _matrices,
            _device,
            "Ask torch; do not assume.",
            "torch.cuda says whether a GPU is there.",
        ),
    ),
    second_hint="Try each of the four in a cell of its own, with the input above.",
    answer=answers.knowledge_check,
)

EXERCISES = (COUNT_PARAMETERS, TRAINING_COST, GRAD_BY_HAND, KNOWLEDGE_CHECK)
