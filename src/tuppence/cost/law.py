"""Expected validation loss from parameters and tokens: a published scaling law, or one fitted to a person's own runs.

    L(N, D) = E + A / N^α + B / D^β        nats a token (Hoffmann et al. 2022, arXiv:2203.15556, equation 2)

N counts all parameters, a tied embedding once. E is the loss that no model can go below, A / N^α the price of a finite
model, B / D^β the price of finite data.

`FINEWEB` has the constants of Besiroglu, Erdil, Barnett and You 2024 (arXiv:2404.10102), who fitted Hoffmann's data
again: Hoffmann's own rounded constants are biased. The level E belongs to a data set and a tokenizer, so it is moved by
one offset, which was set at one published run (llm.c, gpt2-124m, 10.26 billion tokens of FineWeb, 3.2722). Other
published runs of GPT-2 with AdamW are then within 0.1 (see the tests). Outside its range a law says nothing:
at 13.8M parameters and 1.5M tokens the formula gives 15.1 nats, more than the logarithm of the vocabulary.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuppence.core.errors import InputError


@dataclass(frozen=True)
class Law:
    """A scaling law with its range.

    Attributes:
        floor, size, size_exponent, data, data_exponent: E, A, α, B, β.
        error: half the width of the interval that is printed, in nats.
        least_parameters, most_parameters, least_tokens, most_tokens: the range.
        least_flops: fewest operations, 6ND, of the runs that the law was fitted to.
        family: the data, the tokenizer and the optimizer that the law is for.
        source: where the constants come from.
    """

    floor: float
    size: float
    size_exponent: float
    data: float
    data_exponent: float
    error: float
    least_parameters: float
    most_parameters: float
    least_tokens: float
    most_tokens: float
    family: str
    source: str
    least_flops: float = 0.0

    def loss(self, parameters: float, tokens: float) -> float:
        """Expected validation loss in nats a token. Check `refusal` first."""
        return float(self.floor + self.size / parameters**self.size_exponent + self.data / tokens**self.data_exponent)

    def refusal(self, parameters: float, tokens: float) -> str | None:
        """Why the law says nothing here; None if it does.

        Example:
            >>> FINEWEB.refusal(124e6, 10e9)
            >>> FINEWEB.refusal(13.9e6, 1.5e6)
            'no law below 44M parameters'
        """
        if parameters < self.least_parameters:
            return f"no law below {short(self.least_parameters)} parameters"
        if parameters > self.most_parameters:
            return f"no law above {short(self.most_parameters)} parameters"
        if tokens < self.least_tokens:
            return f"no law below {short(self.least_tokens)} tokens"
        if tokens > self.most_tokens:
            return f"no law above {short(self.most_tokens)} tokens"
        if 6 * parameters * tokens < self.least_flops:
            return f"no law below {self.least_flops:.0e} operations"
        return None

    def best_size(self, flops: float) -> tuple[float, float]:
        """Parameters and tokens of the lowest loss at a number of operations C = 6 N D.

        The minimum of L(N, C / 6N): N = ((α A) / (β B))^(1 / (α + β)) (C / 6)^(β / (α + β)).

        Example:
            >>> parameters, tokens = FINEWEB.best_size(1e19)
            >>> round(tokens / parameters)
            24
        """
        a, b = self.size_exponent, self.data_exponent
        parameters = (a * self.size / (b * self.data)) ** (1 / (a + b)) * (flops / 6) ** (b / (a + b))
        return parameters, flops / 6 / parameters


FINEWEB = Law(
    floor=1.8172 + 0.263,
    size=482.01,
    size_exponent=0.3478,
    data=2085.43,
    data_exponent=0.3658,
    error=0.1,
    least_parameters=44e6,
    most_parameters=16e9,
    least_tokens=1e9,
    most_tokens=1e12,
    family="FineWeb, GPT-2's tokenizer, AdamW",
    source="Besiroglu et al. 2024 (arXiv:2404.10102), level set at llm.c's gpt2-124m",
    least_flops=6e18,
)

PRIOR_WIDTH = 0.15
"""Standard deviation of an exponent around its published value, in a fit to few runs."""
NOISE = 0.02
"""Standard deviation of a run's loss in nats, for the weight of that prior."""
REACH = 10.0
"""A fitted law is used up to this many times the largest model and the longest run that it was fitted to."""


@dataclass(frozen=True)
class Point:
    """A finished run: its parameters, its trained tokens, its validation loss in nats a token."""

    parameters: float
    tokens: float
    loss: float


def fit_law(points: Sequence[Point], family: str = "your own runs") -> Law:
    """A law for a person's own data and recipe, from at least four short runs that were trained to their end.

    The exponents are chosen from a grid; for each pair of them E, A and B are a linear least-squares problem with
    solutions that are not negative. Few runs hardly determine exponents, so their published values are a prior. The
    error is what leaving each run out, and predicting it from the others, gives: the largest one, at least 0.02.

    Args:
        points: runs of at least two sizes and two lengths. A loss in the middle of a run is no point of a law, because
            the learning rate has not been lowered yet.

    Raises:
        InputError: too few runs, or all of one size or of one length.
    """
    sizes, lengths = {point.parameters for point in points}, {point.tokens for point in points}
    if len(points) < 4 or len(sizes) < 2 or len(lengths) < 2:
        raise InputError(
            f"a law needs four runs of two sizes and two lengths; there are {len(points)} runs of {len(sizes)} sizes"
            f" and {len(lengths)} lengths",
            "train for example N and N/4 parameters on D, D/2 and D/4 tokens, each to its end",
        )
    if not all(math.isfinite(value) and value > 0 for point in points for value in vars(point).values()):
        raise InputError("a run has no parameters, tokens or loss above zero", "leave it out")
    left_out = []
    for index, point in enumerate(points):
        others = [*points[:index], *points[index + 1 :]]
        floor, size, a, data, b = _fit(others)
        left_out.append(abs(floor + size / point.parameters**a + data / point.tokens**b - point.loss))
    floor, size, a, data, b = _fit(points)
    return Law(
        floor=floor,
        size=size,
        size_exponent=a,
        data=data,
        data_exponent=b,
        error=max(NOISE, *left_out),
        least_parameters=min(sizes) / 2,
        most_parameters=max(sizes) * REACH,
        least_tokens=min(lengths) / 2,
        most_tokens=max(lengths) * REACH,
        family=family,
        source=f"fitted to {len(points)} runs",
    )


def short(number: float) -> str:
    """A large number in three digits with K, M, B or T.

    Example:
        >>> [short(value) for value in (950, 124_439_808, 2.5e9, 1e12)]
        ['950', '124M', '2.5B', '1T']
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= 0.9995 * size:
            return f"{float(f'{number / size:.3g}'):g}{letter}"
    return f"{number:.3g}"


def _fit(points: Sequence[Point]) -> tuple[float, float, float, float, float]:
    """E, A, α, B, β of the smallest penalised sum of squares; all pairs of exponents (P of them) at once."""
    sizes, lengths, losses = (np.array([getattr(p, name) for p in points]) for name in ("parameters", "tokens", "loss"))
    grid = np.arange(0.05, 1.2001, 0.025)
    a_P, b_P = (side.ravel() for side in np.meshgrid(grid, grid))
    # scaled, so that the three columns are of one size
    small, short_ = sizes.min(), lengths.min()
    columns_PN3 = np.stack(
        [
            np.ones((len(a_P), len(points))),
            (sizes / small) ** -a_P[:, None],
            (lengths / short_) ** -b_P[:, None],
        ],
        axis=2,
    )
    solution_P3, squares_P = _non_negative(columns_PN3, losses)
    prior_P = ((a_P - FINEWEB.size_exponent) ** 2 + (b_P - FINEWEB.data_exponent) ** 2) / PRIOR_WIDTH**2
    best = int(np.argmin(squares_P / NOISE**2 + prior_P))
    (floor, size, data), a, b = solution_P3[best], a_P[best], b_P[best]
    return float(floor), float(size * small**a), float(a), float(data * short_**b), float(b)


def _non_negative(columns_PN3: np.ndarray, losses_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with coefficients that are not negative: the best of the subsets of three columns.

    Returns:
        The coefficients, (P, 3), and the sums of squares, (P,).
    """
    best_P3 = np.zeros((len(columns_PN3), 3))
    least_P = np.full(len(columns_PN3), float(losses_N @ losses_N))
    for count in (1, 2, 3):
        for subset in itertools.combinations(range(3), count):
            part = columns_PN3[:, :, subset]
            square = np.einsum("pni,pnj->pij", part, part) + 1e-12 * np.eye(count)  # equal columns are no error
            solution = np.linalg.solve(square, np.einsum("pni,n->pi", part, losses_N)[:, :, None])[:, :, 0]
            squares_P = np.sum((np.einsum("pni,pi->pn", part, solution) - losses_N) ** 2, axis=1)
            better = (solution >= 0).all(axis=1) & (squares_P < least_P)
            best_P3[better] = 0.0
            best_P3[np.ix_(better, subset)] = solution[better]
            least_P[better] = squares_P[better]
    return best_P3, least_P
