"""Exercises of chapter 7: the mask of the prompt, LoRA, and merging it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.exercises import answers
from tuppence.exercises.exercise import Calls, Draw, Exercise, Property, UnfitError, a_list, a_tensor, differs
from tuppence.model.linear import Linear
from tuppence.model.lora import LoRA, LoRALinear

_END = 0


def _rows(draw: Draw) -> Iterator[tuple[list[int], int]]:
    """A prompt of n tokens, an answer, and the end token."""
    yield [11, 12, _END], 1
    yield [11, 12, 13, _END], 2
    for _ in range(3):
        prompt, answer = draw.integer(1, 6), draw.integer(1, 6)
        yield [*draw.integers(prompt + answer, 10, 99), _END], prompt


def _ends_inside(draw: Draw) -> Iterator[tuple[list[int], int]]:
    """The end token also separates turns of the prompt."""
    yield [_END, 12, _END], 1
    yield [11, _END, 12, 13, _END], 2
    yield [_END, *draw.integers(2, 10, 99), _END, *draw.integers(3, 10, 99), _END], 4


def _targets(value: Any) -> list[int]:
    targets = a_list(value)
    if not all(isinstance(one, int) for one in targets):
        raise UnfitError("has things that are no whole numbers")
    return targets


def _of(mask: Calls, ids: list[int], n: int) -> list[int]:
    targets: list[int] = mask(ids, n)
    if len(targets) != len(ids) - 1:
        raise UnfitError(
            f"has the length {len(targets)}; {len(ids) - 1} is needed, since the last token predicts nothing"
        )
    return targets


def _prompt_is_no_target(mask: Calls, ids: list[int], n: int) -> str | None:
    return None if set(_of(mask, ids, n)[: n - 1]) <= {IGNORED_TARGET} else "a token of the prompt is a target"


def _answer_is_target(mask: Calls, ids: list[int], n: int) -> str | None:
    for place, (found, wanted) in enumerate(zip(_of(mask, ids, n)[n - 1 : -1], ids[n:-1], strict=True), start=n - 1):
        if found != wanted:
            return f"at position {place}, where a token of the answer comes next, the target is {found}"
    return None


def _end_is_target(mask: Calls, ids: list[int], n: int) -> str | None:
    found = _of(mask, ids, n)[-1]
    return None if found == ids[-1] else f"at the last position, where the end token comes next, the target is {found}"


def _exactly(mask: Calls, ids: list[int], n: int) -> str | None:
    return differs(_of(mask, ids, n), answers.mask_prompt(ids, n))


MASK_PROMPT = Exercise(
    chapter=7,
    name="mask_prompt",
    parameters=("ids", "n"),
    task="the targets for ids, a list of n tokens of the prompt, then the answer, then the end token: the target at a "
    "position is the token after it, or -100 if that token belongs to the prompt; a list one shorter than ids",
    difficulty=2,
    importance=3,
    minutes=10,
    fit=_targets,
    properties=(
        Property(
            "no token of the prompt is a target",
            _rows,
            _prompt_is_no_target,
            "A target is one step later than its input. Where is the last target that belongs to the prompt?",
            "Position i predicts token i + 1: the first n - 1 targets belong to the prompt.",
        ),
        Property(
            "every token of the answer is a target",
            _rows,
            _answer_is_target,
            "The last token of the prompt predicts the first of the answer.",
            "The target at position n - 1 is ids[n].",
        ),
        Property(
            "the end of the answer is a target",
            _rows,
            _end_is_target,
            "Who never learns the end never stops. Mask by position, not by the id of a token.",
            "The last target is the last of ids.",
        ),
        Property(
            "an end token inside the row changes nothing",
            _ends_inside,
            _exactly,
            "Only n says where the prompt ends.",
            "Compare positions with n; do not look for a token.",
        ),
    ),
    second_hint="Write ids, and below each its target, for a prompt of two and an answer of one.",
    answer=answers.mask_prompt,
)

Adapted = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, float, int]


def _adapted(draw: Draw, *sizes: tuple[int, int, int, int]) -> Iterator[Adapted]:
    """x, W, b, A, B, α, r for (N, in, out, r)."""
    for rows, into, out, rank in sizes:
        weights = draw.normal(out, into), draw.normal(out), draw.normal(rank, into), draw.normal(out, rank)
        yield draw.normal(rows, into), *weights, float(draw.integer(3, 9)), rank


def _square(draw: Draw) -> Iterator[Adapted]:
    """Every size is 2, so that no order of the matrices fails for its shape."""
    yield from _adapted(draw, (1, 2, 2, 2), (3, 2, 2, 2))


def _of_any_shape(draw: Draw) -> Iterator[Adapted]:
    yield from _adapted(draw, (1, 2, 2, 1), (2, 4, 3, 2), (draw.integer(2, 5), 6, 5, 3))


def _base_alone(
    forward: Calls, x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, *rest: Any
) -> str | None:
    return differs(forward(x, weight, bias, a, torch.zeros_like(b), *rest), x @ weight.T + bias)


def _first_output_only(
    forward: Calls, x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, *rest: Any
) -> str | None:
    b = b.clone()
    b[1:] = 0
    change = forward(x, weight, bias, a, b, *rest) - (x @ weight.T + bias)
    return (
        "an output whose row of B is zero changes" if differs(change[:, 1:], torch.zeros_like(change[:, 1:])) else None
    )


def _linear_in_alpha(
    forward: Calls, x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, alpha: float, r: int
) -> str | None:
    base = x @ weight.T + bias
    once, twice = (forward(x, weight, bias, a, b, factor * alpha, r) - base for factor in (1, 2))
    return differs(twice, 2 * once, 1e-3)


def _same_scale(
    forward: Calls, x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, alpha: float, r: int
) -> str | None:
    """Twice the rank, with zeros, and twice α."""
    before = forward(x, weight, bias, a, b, alpha, r)
    wide = torch.cat([a, torch.zeros_like(a)]), torch.cat([b, torch.zeros_like(b)], dim=1)
    return differs(forward(x, weight, bias, *wide, 2 * alpha, 2 * r), before, 1e-3) and "the output is another"


def _like_layer(
    forward: Calls, x: Tensor, weight: Tensor, bias: Tensor, a: Tensor, b: Tensor, alpha: float, r: int
) -> str | None:
    layer = LoRALinear(Linear(*weight.T.shape), LoRA(rank=r, alpha=alpha))
    state = {"weight": weight, "bias": bias, "lora_A": a, "lora_B": b}
    for name, value in state.items():
        parameter: nn.Parameter = getattr(layer, name)
        parameter.data = value
    with torch.no_grad():
        return differs(forward(x, weight, bias, a, b, alpha, r), layer(x), 1e-3)


LORA_FORWARD = Exercise(
    chapter=7,
    name="lora_forward",
    parameters=("x", "W", "b", "A", "B", "alpha", "r"),
    task="the output (N, out) of a linear layer with LoRA for x (N, in): W is (out, in), b is (out,), A is (r, in), "
    "B is (out, r); the correction is scaled by alpha over r",
    difficulty=2,
    importance=3,
    minutes=15,
    fit=a_tensor,
    properties=(
        Property(
            "with B = 0 it is the linear layer alone",
            _square,
            _base_alone,
            "A layer has a weight and a bias.",
            "x @ W.T + b, as torch's Linear.",
        ),
        Property(
            "x goes through A, then B: a row of B writes one output",
            _square,
            _first_output_only,
            "A reads D numbers and gives r. B reads r numbers and gives D.",
            "x @ A.T has the shape (N, r). What must follow?",
        ),
        Property(
            "twice α is twice the correction",
            _of_any_shape,
            _linear_in_alpha,
            "α scales the correction alone.",
            "Multiply the correction by α, not the output of the layer.",
        ),
        Property(
            "twice the rank and twice α are the same scale",
            _of_any_shape,
            _same_scale,
            "The scale must not grow when the rank does.",
            "The factor is α / r.",
        ),
        Property("it is the library's LoRALinear", _of_any_shape, _like_layer, "Write the shape behind every product."),
    ),
    second_hint="The correction is computed beside the layer, from the same x, and added.",
    answer=answers.lora_forward,
)

Merged = tuple[Tensor, Tensor, Tensor, float, int]


def _square_weights(draw: Draw) -> Iterator[Merged]:
    for _, weight, _, a, b, alpha, r in _square(draw):
        yield weight, a, b, alpha, r


def _weights(draw: Draw) -> Iterator[Merged]:
    for _, weight, _, a, b, alpha, r in _of_any_shape(draw):
        yield weight, a, b, alpha, r


def _nothing_to_merge(merge: Calls, weight: Tensor, a: Tensor, b: Tensor, *rest: Any) -> str | None:
    return differs(merge(weight, a, torch.zeros_like(b), *rest), weight, 1e-6)


def _first_row_only(merge: Calls, weight: Tensor, a: Tensor, b: Tensor, *rest: Any) -> str | None:
    b = b.clone()
    b[1:] = 0
    change = merge(weight, a, b, *rest) - weight
    return "a row of W whose row of B is zero changes" if differs(change[1:], torch.zeros_like(change[1:])) else None


def _kept(merge: Calls, *arguments: Any) -> str | None:
    _, after = merge.with_arguments(*arguments)
    return None if torch.equal(after[0], arguments[0]) else "W itself was changed"


def _merged_is_unmerged(merge: Calls, weight: Tensor, a: Tensor, b: Tensor, alpha: float, r: int) -> str | None:
    x = torch.eye(weight.shape[1]) + 0.5
    merged = merge(weight, a, b, alpha, r)
    differs(merged, weight)  # the shape
    unmerged = answers.lora_forward(x, weight, torch.zeros(len(weight)), a, b, alpha, r)
    return differs(x @ merged.T, unmerged, 1e-3) and "the merged layer and the layer with LoRA give different outputs"


MERGE = Exercise(
    chapter=7,
    name="merge",
    parameters=("W", "A", "B", "alpha", "r"),
    task="a new weight (out, in) that gives without LoRA what W (out, in) gives with it: A is (r, in), B is (out, "
    "r); W itself stays as it is, so that merging can be undone",
    difficulty=1,
    importance=2,
    minutes=10,
    fit=a_tensor,
    properties=(
        Property(
            "with B = 0 it is W",
            _square_weights,
            _nothing_to_merge,
            "Then there is no correction.",
            "W plus a product with B in it.",
        ),
        Property(
            "a row of B changes the same row of W, and no other",
            _square_weights,
            _first_row_only,
            "Which order of the two matrices gives the shape of W? Here both do, so think of the rows.",
            "(out, r) times (r, in).",
        ),
        Property(
            "W itself is not changed, to the bit",
            _weights,
            _kept,
            "Make a new tensor. Subtracting the correction later would leave rounding errors.",
            "W + … makes a new tensor; += changes the old one.",
        ),
        Property(
            "on any input the merged layer gives what the layer with LoRA gives",
            _weights,
            _merged_is_unmerged,
            "The correction has a scale.",
            "The factor is that of lora_forward.",
        ),
    ),
    second_hint="Set the outputs equal for every x, and read off the weight.",
    answer=answers.merge_lora,
)

EXERCISES: Sequence[Exercise] = (MASK_PROMPT, LORA_FORWARD, MERGE)
