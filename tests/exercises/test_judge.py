"""What a check says: the card, the signature, hints, tries, seeds; and that no answer can know its inputs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.exercises.grading import Here, calls_of, exercise, grade
from tuppence.exercises import EXERCISES, attempts
from tuppence.exercises.exercise import Draw, Exercise
from tuppence.exercises.judge import HINT_WITHOUT_RESULT, try_properties
from tuppence.exercises.plain import dumps
from tuppence.exercises.result import Results

KEYS = [one.key for one in EXERCISES]


@pytest.mark.parametrize("key", KEYS)
def test_the_answer_has_all_properties(key: str) -> None:
    result = grade(exercise(key), exercise(key).answer, 1)
    assert result.passed, "\n".join(result.lines())


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("seed", [2, 3])
def test_the_answer_has_all_properties_on_other_inputs(key: str, seed: int) -> None:
    result = try_properties(exercise(key), Here(exercise(key).answer), seed)
    assert result.passed, "\n".join(result.lines())


@pytest.mark.parametrize("key", KEYS)
def test_an_answer_that_knows_the_inputs_of_one_check_fails_another(key: str) -> None:
    asked = exercise(key)
    known = {repr(arguments): asked.answer(*copy.deepcopy(arguments)) for arguments in calls_of(asked, asked.answer, 1)}
    other = next(iter(known.values()))

    def memorised(*arguments: Any) -> Any:
        return known.get(repr(arguments), other)

    assert try_properties(asked, Here(memorised), 2).status == "failed"


@pytest.mark.parametrize("key", KEYS)
def test_every_exercise_says_what_it_asks_for(key: str) -> None:
    asked = exercise(key)
    assert asked.properties
    assert asked.second_hint.endswith((".", "?"))
    assert not asked.task.endswith(".")
    for one in asked.properties:
        assert one.hint.endswith((".", "?"))
        assert not one.statement.endswith(".")
    assert {asked.difficulty, asked.importance} <= {1, 2, 3}


@pytest.mark.parametrize("key", KEYS)
def test_inputs_do_not_shrink(key: str) -> None:
    """The first input of a property is its smallest: the first failure is a small counterexample."""
    for number, one in enumerate(exercise(key).properties):
        lengths = [len(dumps(arguments)) for arguments in one.inputs(Draw(str(number)))]
        assert lengths[0] <= lengths[-1] + 20


def test_all_numbers_of_a_large_input_can_be_had() -> None:
    def wrong_from_three_tokens_on(x, w_qkv, w_out, n_heads):
        out = exercise("multi_head").answer(x, w_qkv, w_out, n_heads)
        return out * 2 if x.shape[1] > 3 else out

    result = grade(exercise("multi_head"), wrong_from_three_tokens_on, 3)
    shown = dict(result.details)
    assert shown["All numbers"] == "tp.check(multi_head, seed=3)[0].arguments"
    assert [*result.arguments] == ["x", "Wqkv", "Wo", "H"]
    width = result.arguments["x"].shape[-1]
    assert result.arguments["Wqkv"].shape == (3 * width, width)
    assert "numbers: " in "\n".join(text for _, text in result.details)


def test_each_property_may_have_a_second_hint_of_its_own() -> None:
    versions = [lambda q, k, v, mask: q, lambda q, k, v, mask: 2 * q, lambda q, k, v, mask: 3 * q]
    results = [grade(exercise("attention"), version, 3) for version in versions]
    assert dict(results[-1].details)["Second hint"] == exercise("attention").properties[0].second_hint


def slope(x):
    return 2 * x


def test_a_failure_shows_property_input_result_and_hint() -> None:
    result = grade(exercise("grad_by_hand"), slope)
    assert list(result.lines()) == [
        "✗ grad_by_hand: property 1 of 2 does not hold",
        "    Property     it is the slope: how much y changes for a small step of x, divided by the step",
        "    Input        x = 2",
        "    It gave      4",
        "    Problem      4 is too small",
        "    Hint         Not the value of y, but how fast it grows. Differentiate each of the three terms.",
        "    Same inputs  seed 1",
    ]


def test_the_second_hint_comes_with_the_third_version_that_fails() -> None:
    asked = exercise("grad_by_hand")

    def hints(function) -> list[str]:
        return [label for label, _ in grade(asked, function).details if "int" in label and label != "It printed"]

    versions = [lambda x: 2 * x, lambda x: 2 * x + 1, lambda x: 2 * x + 2]
    assert [hints(versions[number]) for number in (0, 0, 1, 1)] == [["Hint"]] * 4
    assert hints(versions[2]) == ["Hint", "Second hint"]
    assert grade(asked, asked.answer).tries == 0
    assert hints(versions[0]) == ["Hint"]


def test_what_is_solved_is_remembered(cache: Path) -> None:
    assert attempts.solved() == set()
    grade(exercise("grad_by_hand"), exercise("grad_by_hand").answer)
    grade(exercise("grad_by_hand"), slope)
    assert attempts.solved() == {"1/grad_by_hand"}
    (cache / attempts.FILE).write_text("not JSON")
    assert attempts.solved() == set()


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in its place")
    assert grade(exercise("grad_by_hand"), slope).status == "failed"


def test_a_wrong_signature_is_the_first_message() -> None:
    result = grade(exercise("causal_mask"), lambda length, *, keys, more=2: length)
    assert result.status == "wrong signature"
    assert "yours is causal_mask(length, keys, more=…); write causal_mask(T, S)" in result.headline


@pytest.mark.parametrize("other", [lambda a, b: a, lambda *arguments: 1, lambda T, S, device=None: S])
def test_other_names_and_defaults_of_arguments_are_a_right_signature(other: Any) -> None:
    assert grade(exercise("causal_mask"), other).status == "failed"


def empty(x):
    pass


def documented(x):
    """To be written."""


def dots(x): ...


def refusing(x):
    raise NotImplementedError


@pytest.mark.parametrize("stub", [empty, documented, dots, refusing])
def test_an_empty_function_gets_the_card_and_counts_as_no_try(stub: Any, cache: Path) -> None:
    result = grade(exercise("grad_by_hand"), stub)
    assert result.status == "not written"
    assert dict(result.details)["Write"] == "grad_by_hand(x)"
    assert not cache.exists()


def test_a_function_that_forgets_its_return_is_told() -> None:
    def forgets(x):
        x + 1

    problem = dict(grade(exercise("grad_by_hand"), forgets).details)["Problem"]
    assert problem == "the result is None (is there a return statement?); one number is needed"


def test_a_seed_repeats_the_inputs_and_none_draws_another() -> None:
    def small_step(x):
        def y(x):
            return x**2 + 3 * x + 1

        return (y(x + 1e-6) - y(x)) / 1e-6 + (1 if x > 3 else 0)

    asked = exercise("grad_by_hand")
    assert grade(asked, small_step, 5).details == grade(asked, small_step, 5).details
    assert len({grade(asked, small_step, None).seed for _ in range(4)}) > 1


def test_an_exception_is_named_with_its_line() -> None:
    def dividing(x):
        return 1 / 0

    line = dividing.__code__.co_firstlineno + 1
    shown = dict(grade(exercise("grad_by_hand"), dividing).details)
    assert shown["Problem"] == f"the function raises ZeroDivisionError: division by zero (line {line})"
    assert shown["Hint"] == HINT_WITHOUT_RESULT


def test_results_show_themselves_in_a_notebook() -> None:
    page = Results((grade(exercise("grad_by_hand"), slope),), title="a < b")._repr_html_()
    assert "a &lt; b" in page
    assert "✗ grad_by_hand" in page
    assert "http" not in page


def test_names_and_keys_are_unique_and_stable() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert all(isinstance(one, Exercise) for one in EXERCISES)
