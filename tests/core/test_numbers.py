from __future__ import annotations

from tuppence.core.numbers import duration


def test_durations_carry_over_to_the_next_unit() -> None:
    assert [duration(value) for value in (9.96, 59.7, 3599.6, 7199.7)] == [
        "10.0 s",
        "1 min",
        "1 h",
        "2 h",
    ]
