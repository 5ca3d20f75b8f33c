"""Each usual wrong answer of chapter 1 is caught by the property it breaks."""

from __future__ import annotations

import pytest
import torch

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers


def no_biases(layers, d, vocabulary, context):
    return (vocabulary + context) * d + layers * (12 * d * d + 4 * d) + 2 * d


def untied_head(layers, d, vocabulary, context):
    return answers.count_parameters(layers, d, vocabulary, context) + vocabulary * d


def final_norm_forgotten(layers, d, vocabulary, context):
    return answers.count_parameters(layers, d, vocabulary, context) - 2 * d


def one_layer_only(layers, d, vocabulary, context):
    return answers.count_parameters(1, d, vocabulary, context)


def positions_forgotten(layers, d, vocabulary, context):
    return answers.count_parameters(layers, d, vocabulary, context) - context * d


def two_for_six(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, tokens, tflops, mfu, usd) / 3


def seconds_for_hours(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, tokens, tflops, mfu, usd) * 3600


def milliseconds(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, tokens, tflops, mfu, usd) / 1000


def discount_twice(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, tokens, tflops, mfu, usd * 0.35)


def mfu_ignored(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, tokens, tflops, 1.0, usd)


def one_epoch(params, tokens, tflops, mfu, usd):
    return answers.training_cost(params, 1e9, tflops, mfu, usd)


def value_for_slope(x):
    return x**2 + 3 * x + 1


def known_slope(x):
    return 7


def small_step(x):
    def y(x):
        return x**2 + 3 * x + 1

    return (y(x + 1e-6) - y(x)) / 1e-6


def elementwise(a, b, row, x):
    return a[:, :1] * b[:1], a + row, 2 * x + 3, answers.knowledge_check(a, b, row, x)[3]


def row_to_the_first(a, b, row, x):
    added = a.clone()
    added[0] += row
    return a @ b, added, 2 * x + 3, answers.knowledge_check(a, b, row, x)[3]


def value_again(a, b, row, x):
    return a @ b, a + row, x**2 + 3 * x + 1, answers.knowledge_check(a, b, row, x)[3]


def other_device(a, b, row, x):
    return a @ b, a + row, 2 * x + 3, "cpu" if torch.cuda.is_available() else "cuda"


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("count_parameters", one_layer_only, "every layer adds the same"),
        ("count_parameters", untied_head, "one more token in the vocabulary"),
        ("count_parameters", positions_forgotten, "one more position"),
        ("count_parameters", no_biases, "a block has four linear layers"),
        ("count_parameters", final_norm_forgotten, "the whole count"),
        ("training_cost", one_epoch, "twice the tokens"),
        ("training_cost", mfu_ignored, "twice the MFU"),
        ("training_cost", seconds_for_hours, "seconds become hours"),
        ("training_cost", milliseconds, "seconds become hours"),
        ("training_cost", two_for_six, "a parameter costs six"),
        ("training_cost", discount_twice, "the price of an hour"),
        ("grad_by_hand", value_for_slope, "it is the slope"),
        ("grad_by_hand", known_slope, "it is the slope"),
        ("grad_by_hand", small_step, "it is what autograd"),
        ("knowledge_check", elementwise, "the first is the matrix product"),
        ("knowledge_check", row_to_the_first, "the second adds the row"),
        ("knowledge_check", value_again, "the third is the slope"),
        ("knowledge_check", other_device, "the fourth is the device"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)
