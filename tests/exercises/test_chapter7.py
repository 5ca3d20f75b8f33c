"""Each usual wrong answer of chapter 7 is caught by the property it breaks."""

from __future__ import annotations

import pytest

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers


def prompt_is_trained(ids, n):
    return ids[1:]


def one_too_early(ids, n):
    return answers.mask_prompt(ids, n - 1)


def one_too_late(ids, n):
    return answers.mask_prompt(ids, n + 1)


def end_is_padding(ids, n):
    return [*answers.mask_prompt(ids, n)[:-1], -100]


def masked_by_id(ids, n):
    targets = answers.mask_prompt(ids, n)
    return [one if one != ids[-1] or place == len(targets) - 1 else -100 for place, one in enumerate(targets)]


def until_the_first_end(ids, n):
    return answers.mask_prompt(ids, ids.index(0) + 1 if 0 in ids[:-1] else n)


def unshifted(ids, n):
    return [-100] * n + ids[n:]


def no_bias(x, weight, bias, a, b, alpha, r):
    return answers.lora_forward(x, weight, 0 * bias, a, b, alpha, r)


def alpha_alone(x, weight, bias, a, b, alpha, r):
    return answers.lora_forward(x, weight, bias, a, b, alpha, 1)


def a_and_b_exchanged(x, weight, bias, a, b, alpha, r):
    return x @ weight.T + bias + alpha / r * (x @ (a @ b).T)


def a_before_b_untransposed(x, weight, bias, a, b, alpha, r):
    return x @ weight.T + bias + alpha / r * (x @ a @ b)


def no_scale(x, weight, bias, a, b, alpha, r):
    return answers.lora_forward(x, weight, bias, a, b, 1, 1)


def by_the_root_of_the_rank(x, weight, bias, a, b, alpha, r):
    return answers.lora_forward(x, weight, bias, a, b, alpha, r**0.5)


def half_of_it(x, weight, bias, a, b, alpha, r):
    return answers.lora_forward(x, weight, bias, a, b, alpha / 2, r)


def merged_without_scale(weight, a, b, alpha, r):
    return answers.merge_lora(weight, a, b, 1, 1)


def merged_by_alpha(weight, a, b, alpha, r):
    return answers.merge_lora(weight, a, b, alpha, 1)


def merged_transposed(weight, a, b, alpha, r):
    return weight + alpha / r * (b @ a).T


def merged_in_place(weight, a, b, alpha, r):
    weight += alpha / r * b @ a
    return weight


def correction_alone(weight, a, b, alpha, r):
    return alpha / r * b @ a


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("mask_prompt", prompt_is_trained, "no token of the prompt is a target"),
        ("mask_prompt", one_too_early, "no token of the prompt is a target"),
        ("mask_prompt", unshifted, "no token of the prompt is a target"),
        ("mask_prompt", one_too_late, "every token of the answer is a target"),
        ("mask_prompt", end_is_padding, "the end of the answer is a target"),
        ("mask_prompt", until_the_first_end, "an end token inside the row"),
        ("lora_forward", no_bias, "with B = 0 it is the linear layer alone"),
        ("lora_forward", a_and_b_exchanged, "x goes through A, then B"),
        ("lora_forward", a_before_b_untransposed, "x goes through A, then B"),
        ("lora_forward", no_scale, "twice α is twice the correction"),
        ("lora_forward", alpha_alone, "twice the rank and twice α"),
        ("lora_forward", by_the_root_of_the_rank, "twice the rank and twice α"),
        ("lora_forward", half_of_it, "it is the library's LoRALinear"),
        ("7/merge", correction_alone, "with B = 0 it is W"),
        ("7/merge", merged_transposed, "a row of B changes the same row"),
        ("7/merge", merged_in_place, "W itself is not changed"),
        ("7/merge", merged_without_scale, "on any input the merged layer"),
        ("7/merge", merged_by_alpha, "on any input the merged layer"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)
