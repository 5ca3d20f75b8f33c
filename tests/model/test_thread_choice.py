"""The number of threads follows the times of the tokens."""

from __future__ import annotations

from collections.abc import Callable

from tuppence.model.thread_choice import FIRST_REST, LONGEST_REST, ThreadChoice


def tokens(choice: ThreadChoice, count: int, seconds: Callable[[int], float]) -> list[int]:
    """Simulates tokens that take `seconds(threads)`, and returns the number of threads of each."""
    used = []
    for _ in range(count):
        used.append(choice.threads)
        choice.took(seconds(choice.threads))
    return used


def quiet(threads: int) -> float:
    return 1.0 / threads


def busy(threads: int) -> float:
    return 1.8 if threads == 1 else 30.0


def test_on_a_quiet_machine_trials_cost_less_than_a_hundredth() -> None:
    used = tokens(ThreadChoice(2), 5000, quiet)
    assert used[:2] == [2, 2]
    assert 0 < used.count(1) < 50


def test_one_slow_token_starts_no_trial() -> None:
    choice = ThreadChoice(4)
    tokens(choice, 40, quiet)
    choice.took(9.0)
    assert tokens(choice, 20, quiet) == [4] * 20


def test_beside_other_programs_nearly_all_tokens_use_one_thread() -> None:
    used = tokens(ThreadChoice(2), 3000, busy)
    assert used[2:4] == [1, 1]
    assert used.count(2) <= 2 + 2 * 10
    assert max(len(rest) for rest in "".join(map(str, used)).split("2")) == LONGEST_REST


def test_a_machine_that_becomes_busy_is_noticed_within_a_few_tokens() -> None:
    choice = ThreadChoice(2)
    tokens(choice, 1000, quiet)
    assert tokens(choice, 100, busy).count(2) < FIRST_REST + 10


def test_all_threads_return_when_the_machine_is_quiet_again() -> None:
    choice = ThreadChoice(2)
    tokens(choice, 200, busy)
    assert tokens(choice, LONGEST_REST, quiet)[-100:].count(2) >= 98


def test_a_processor_that_becomes_slower_keeps_all_threads() -> None:
    choice = ThreadChoice(2)
    tokens(choice, 100, quiet)
    assert tokens(choice, 1000, lambda threads: 20.0 / threads).count(1) < 30


def test_with_one_thread_nothing_is_chosen() -> None:
    assert set(tokens(ThreadChoice(1), 100, lambda threads: 1.0)) == {1}
