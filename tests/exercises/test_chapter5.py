"""Each usual wrong answer of chapter 5 is caught by the property it breaks."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.grading import Function, assert_caught, exercise, grade
from tuppence.exercises import answers
from tuppence.training import reference


def counted(logits, targets):
    valid = targets != -100
    return logits[valid], targets[valid]


def mean(logits, targets):
    return answers.cross_entropy(logits, targets) / max(1, len(counted(logits, targets)[1]))


def mean_of_means(logits, targets):
    pieces = zip(logits.split(2), targets.split(2), strict=True)
    return torch.stack([mean(*piece) for piece in pieces]).mean()


def log_of_softmax(logits, targets):
    logits, targets = counted(logits, targets)
    return -torch.softmax(logits, dim=-1).log().gather(1, targets[:, None]).sum()


def ignored_are_counted(logits, targets):
    return -torch.log_softmax(logits, dim=-1)[torch.arange(len(targets)), targets.clamp(min=0)].sum()


def base_two(logits, targets):
    return answers.cross_entropy(logits, targets) / 0.6931


def unnormalised(logits, targets):
    logits, targets = counted(logits, targets)
    return sum(
        torch.log(torch.tensor(float(logits.shape[1]))) - row[target]
        for row, target in zip(logits, targets, strict=True)
    )


def without_gradient(logits, targets):
    return answers.cross_entropy(logits.detach(), targets).item()


def adamw(p, g, m, v, t, lr, beta1, beta2, eps, decay, *, step=None, inside=False, l2=False, second=None):
    if l2:
        g = g + decay * p
    else:
        p = p * (1 - lr * decay)
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g**2 if second is None else second(g))
    t = t if step is None else step(t)
    m_hat, v_hat = (m, v) if t is None else (m / (1 - beta1**t), v / (1 - beta2**t))
    return p - lr * m_hat / ((v_hat + eps).sqrt() if inside else v_hat.sqrt() + eps), m, v


def no_bias_correction(*arguments):
    return adamw(*arguments, step=lambda t: None)


def t_from_zero(p, g, m, v, t, *rest):
    return adamw(p, g, m, v, t, *rest, step=lambda t: t + 1)


def t_before_the_first(p, g, m, v, t, *rest):
    return adamw(p, g, m, v, t, *rest, step=lambda t: t - 1)


def eps_inside_the_root(*arguments):
    return adamw(*arguments, inside=True)


def l2_for_decoupled(*arguments):
    return adamw(*arguments, l2=True)


def betas_exchanged(p, g, m, v, t, lr, beta1, beta2, eps, decay):
    return adamw(p, g, m, v, t, lr, beta2, beta1, eps, decay)


def mean_loss_of_micro_batches(losses, counts):
    return sum(loss / count for loss, count in zip(losses, counts, strict=True)) / len(losses)


def sum_of_losses(losses, counts):
    return sum(losses)


def means_by_size(losses, counts):
    means = [loss / count for loss, count in zip(losses, counts, strict=True)]
    return sum(one * count for one, count in zip(means, counts, strict=True)) / sum(counts)


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("cross_entropy", base_two, "with V equal logits the loss of one target is ln V"),
        ("cross_entropy", mean, "it is a sum"),
        ("cross_entropy", mean_of_means, "it is a sum"),
        ("cross_entropy", ignored_are_counted, "rows with the target -100"),
        ("cross_entropy", unnormalised, "a number added to all logits"),
        ("cross_entropy", log_of_softmax, "it is finite for logits of 10,000"),
        ("cross_entropy", without_gradient, "value and gradient are torch's"),
        ("adamw_step", no_bias_correction, "the first step is as large as the learning rate"),
        ("adamw_step", t_from_zero, "the first step is as large as the learning rate"),
        ("adamw_step", t_before_the_first, "the first step is as large as the learning rate"),
        ("adamw_step", eps_inside_the_root, "eps is added to the root"),
        ("adamw_step", l2_for_decoupled, "weight decay works on the parameter alone"),
        ("adamw_step", betas_exchanged, "twenty steps are torch's"),
        ("accumulate", sum_of_losses, "one batch gives its mean loss"),
        ("accumulate", mean_loss_of_micro_batches, "8 micro-batches of unequal size"),
        ("accumulate", means_by_size, "a micro-batch without targets"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)


def test_adamw_may_change_its_arguments() -> None:
    def in_place(p, g, m, v, t, lr, beta1, beta2, eps, decay):
        reference.adamw_step(p, g, m, v, t, lr=lr, beta1=beta1, beta2=beta2, epsilon=eps, weight_decay=decay)

    assert grade(exercise("adamw_step"), in_place).passed
