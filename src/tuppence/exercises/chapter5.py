"""Exercises of chapter 5: the loss, the optimizer, and accumulation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.data.buckets import IGNORED_TARGET
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
    not_finite,
)

Scored = tuple[Tensor, Tensor]


def _zeros(draw: Draw) -> Iterator[Scored]:
    for size in (2, 3, draw.integer(5, 50)):
        yield torch.zeros(1, size), torch.tensor([draw.integer(0, size - 1)])


def _scored(draw: Draw) -> Iterator[Scored]:
    for rows, size in ((1, 2), (2, 3), (draw.integer(4, 7), draw.integer(5, 9))):
        yield draw.normal(rows, size, scale=2), torch.tensor(draw.integers(rows, 0, size - 1))


def _with_ignored(draw: Draw) -> Iterator[Scored]:
    for logits, targets in _scored(draw):
        yield torch.cat([logits, 3 * logits]), torch.cat([targets, torch.full_like(targets, IGNORED_TARGET)])


def _very_large(draw: Draw) -> Iterator[Scored]:
    yield torch.tensor([[10000.0, 0.0]]), torch.tensor([1])
    for logits, targets in _scored(draw):
        yield 5000 * logits, targets


def _log_of_size(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    return differs(loss(logits, targets), math.log(logits.shape[-1]))


def _is_a_sum(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    once, twice = loss(logits, targets), loss(logits.repeat(2, 1), targets.repeat(2))
    return differs(twice, 2 * once) and "with every row twice, the loss is not twice as large"


def _ignores(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    half = len(targets) // 2
    counted = loss(logits[:half], targets[:half])
    return differs(loss(logits, targets), counted) and "rows with the target -100 change the loss"


def _shift(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    before = loss(logits, targets)
    return differs(loss(logits + 7, targets), before) and "with 7 added to every logit, the loss is another"


def _stays_finite(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    return not_finite(torch.tensor(loss(logits, targets)))


def _like_torch(loss: Calls, logits: Tensor, targets: Tensor) -> str | None:
    scored = logits.clone().requires_grad_()
    right = F.cross_entropy(scored, targets, ignore_index=IGNORED_TARGET, reduction="sum")
    wrong = differs(loss(logits, targets), right.item())
    if wrong:
        return wrong
    (gradient,) = torch.autograd.grad(3 * right, scored)  # a scalar has the weight cos 0 + 2
    return differs(loss.gradients(logits, targets)[0], gradient) and "the gradient is wrong"


CROSS_ENTROPY = Exercise(
    chapter=5,
    name="cross_entropy",
    parameters=("logits", "targets"),
    task="the sum of -log softmax(logits)[target] over all rows whose target is not -100: logits is (N, V), targets is "
    "(N,); without torch's cross_entropy",
    difficulty=2,
    importance=3,
    minutes=15,
    fit=a_number,
    properties=(
        Property(
            "with V equal logits the loss of one target is ln V",
            _zeros,
            _log_of_size,
            "V tokens are equally likely. What is -log of that probability, and in which base?",
            "The natural logarithm: torch.log and math.log.",
        ),
        Property(
            "it is a sum: every row twice is twice the loss",
            _scored,
            _is_a_sum,
            "Only the caller knows how many targets the whole step has, so nobody divides here.",
            "No mean, not even over the rows.",
        ),
        Property(
            "rows with the target -100 do not count",
            _with_ignored,
            _ignores,
            "Select the rows that count first. -100 is also a valid index in Python: it counts from the end.",
            "keep = targets != -100, and index logits and targets with it.",
        ),
        Property(
            "a number added to all logits changes nothing",
            _scored,
            _shift,
            "Softmax sees differences only.",
            "The log of a sum of exponentials moves by the same number as the logits.",
        ),
        Property(
            "it is finite for logits of 10,000",
            _very_large,
            _stays_finite,
            "exp(10,000) is infinite, and the log of a probability of zero too. Never leave the logarithm.",
            "torch.logsumexp does it for you.",
        ),
        Property(
            "value and gradient are torch's",
            _scored,
            _like_torch,
            "Stay in torch's operations, so that it can compute the gradient.",
            "No item, no Python float and no torch.tensor on the way from logits to the loss.",
        ),
    ),
    second_hint="log softmax is x - log Σ exp(x). Take the largest logit out before the exponential.",
    answer=answers.cross_entropy,
)

Step = tuple[Tensor, Tensor, Tensor, Tensor, int, float, float, float, float, float]


def _step(
    p: Tensor, g: Tensor, *, lr: float = 0.1, eps: float = 1e-8, decay: float = 0.0, betas: Any = (0.9, 0.999)
) -> Step:
    return p, g, torch.zeros_like(p), torch.zeros_like(p), 1, lr, betas[0], betas[1], eps, decay


def _first_steps(draw: Draw) -> Iterator[Step]:
    yield _step(torch.tensor([1.0]), torch.tensor([0.5]))
    yield _step(torch.tensor([1.0, 1.0]), torch.tensor([100.0, -0.01]), lr=0.25)
    yield _step(draw.normal(5), draw.normal(5) + 0.001, lr=0.01, betas=(0.8, 0.95))


def _eps_steps(draw: Draw) -> Iterator[Step]:
    yield _step(torch.tensor([1.0]), torch.tensor([0.01]), eps=0.01)
    yield _step(draw.normal(4), torch.full((4,), 0.002), eps=0.002)


def _decaying(draw: Draw) -> Iterator[Step]:
    yield _step(torch.tensor([2.0]), torch.tensor([0.0]), decay=0.5)
    yield _step(draw.normal(4), torch.zeros(4), lr=0.05, decay=draw.number(0.1, 0.9))


def _long(draw: Draw) -> Iterator[Step]:
    yield _step(torch.tensor([1.0]), torch.tensor([0.5]), decay=0.1)
    yield _step(draw.normal(2, 3), draw.normal(2, 3), lr=0.03, decay=0.2, betas=(0.8, 0.95), eps=1e-3)


def _stepped(value: Any) -> Any:
    """(p, m, v), or None for a function that changes its arguments."""
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 3:
        raise UnfitError(f"is {kind_of(value)}; three tensors are needed: p, m, v")
    return tuple(a_tensor(one) for one in value)


def _after(step: Calls, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    value, changed = step.with_arguments(*arguments)
    p, m, v = (changed[0], changed[2], changed[3]) if value is None else value
    for one in (p, m, v):
        differs(one, torch.zeros_like(arguments[0]))  # the shape
    return p, m, v


def _as_large_as_lr(step: Calls, *arguments: Any) -> str | None:
    p, g, lr = arguments[0], arguments[1], arguments[5]
    moved = p - _after(step, *arguments)[0]
    return differs(moved, lr * g.sign(), 1e-3)


def _half_of_lr(step: Calls, *arguments: Any) -> str | None:
    p, lr = arguments[0], arguments[5]
    moved = p - _after(step, *arguments)[0]
    return differs(moved / lr, torch.full_like(p, 0.5), 1e-3)


def _only_decay(step: Calls, *arguments: Any) -> str | None:
    p, lr, decay = arguments[0], arguments[5], arguments[9]
    after = _after(step, *arguments)
    if differs(after[1], torch.zeros_like(p)) or differs(after[2], torch.zeros_like(p)):
        return "the averages of the gradient are not zero"
    return differs(after[0], p * (1 - lr * decay), 1e-4)


def _like_adamw(step: Calls, *arguments: Any) -> str | None:
    p, g, m, v, _, lr, beta1, beta2, eps, decay = arguments
    parameter = p.clone().requires_grad_()
    settings = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": decay}
    optimizer = torch.optim.AdamW([parameter], **settings)
    for t in range(1, 21):
        gradient = g * math.cos(t)
        parameter.grad = gradient.clone()
        optimizer.step()
        p, m, v = _after(step, p, gradient, m, v, t, lr, beta1, beta2, eps, decay)
        if differs(p, parameter.detach(), 1e-4):
            return f"after step {t} the parameter is another than torch's"
    return None


ADAMW_STEP = Exercise(
    chapter=5,
    name="adamw_step",
    parameters=("p", "g", "m", "v", "t", "lr", "beta1", "beta2", "eps", "weight_decay"),
    task="one step of AdamW for the parameter p with the gradient g: m and v are the moving averages of g and g², "
    "zeros before the first step; t is the number of this step, from 1; return the new (p, m, v), or change the "
    "three tensors in place and return nothing",
    difficulty=3,
    importance=3,
    minutes=25,
    fit=_stepped,
    properties=(
        Property(
            "the first step is as large as the learning rate, whatever the gradient's size",
            _first_steps,
            _as_large_as_lr,
            "The averages begin at zero and are too small at first. By which factor, at step t?",
            "Divide m by 1 - β1^t and v by 1 - β2^t.",
        ),
        Property(
            "eps is added to the root: a gradient as large as eps moves the parameter by half the learning rate",
            _eps_steps,
            _half_of_lr,
            "Is eps inside the root or outside?",
            "√v + eps, where v is the corrected average.",
        ),
        Property(
            "weight decay works on the parameter alone: with a gradient of zero, p shrinks by the factor 1 - lr · "
            "decay",
            _decaying,
            _only_decay,
            "Decay is decoupled: it never enters the averages. That is the W in AdamW.",
            "p times (1 - lr · decay), before or beside the step; g stays as it is.",
        ),
        Property(
            "twenty steps are torch's",
            _long,
            _like_adamw,
            "Which β belongs to which average? And is the square taken before the average?",
            "m is the average of g with β1, v the average of g² with β2; return the uncorrected ones.",
        ),
    ),
    second_hint="Five lines: decay, two averages, two corrections, one step. Do the first step for g = 0.5 with a "
    "pencil.",
    answer=answers.adamw_step,
)


def _batches(draw: Draw) -> Iterator[tuple[list[float], list[int]]]:
    yield [6.0], [3]
    yield [6.0, 2.0], [3, 1]
    for size in (3, 8):
        counts = draw.integers(size, 1, 40)
        yield [draw.number(0.5, 4) * count for count in counts], counts


def _unequal(draw: Draw) -> Iterator[tuple[list[float], list[int]]]:
    yield [4.0, 2.0], [1, 3]
    yield from (batch for batch in _batches(draw) if len(batch[0]) > 2)


def _one_batch(accumulate: Calls, losses: list[float], counts: list[int]) -> str | None:
    return differs(accumulate(losses[:1], counts[:1]), losses[0] / counts[0])


def _same_as_one(accumulate: Calls, losses: list[float], counts: list[int]) -> str | None:
    whole = accumulate([sum(losses)], [sum(counts)])
    return differs(accumulate(losses, counts), whole) and "cut into micro-batches, the same targets give another loss"


def _empty_one(accumulate: Calls, losses: list[float], counts: list[int]) -> str | None:
    before = accumulate(losses, counts)
    return (
        differs(accumulate([*losses, 0.0], [*counts, 0]), before) and "a micro-batch without targets changes the loss"
    )


ACCUMULATE = Exercise(
    chapter=5,
    name="accumulate",
    parameters=("losses", "counts"),
    task="the loss of a step, per target: losses is a list with the summed loss of each micro-batch, counts is a "
    "list with their numbers of targets",
    difficulty=1,
    importance=3,
    minutes=5,
    fit=a_number,
    properties=(
        Property(
            "one batch gives its mean loss",
            _batches,
            _one_batch,
            "The loss of a batch is a sum here.",
            "Sum over count.",
        ),
        Property(
            "8 micro-batches of unequal size are 1 batch with the same targets",
            _unequal,
            _same_as_one,
            "Does a target in a small micro-batch count more than one in a large micro-batch?",
            "Do not average the means of the micro-batches.",
        ),
        Property(
            "a micro-batch without targets changes nothing",
            _batches,
            _empty_one,
            "Nothing is divided by the count of one micro-batch.",
        ),
    ),
    second_hint="Divide once, at the end.",
    answer=answers.accumulate,
)

EXERCISES: Sequence[Exercise] = (CROSS_ENTROPY, ADAMW_STEP, ACCUMULATE)
