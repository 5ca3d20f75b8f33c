"""The time to save after SIGTERM, computed from the model's size and the speed of the line."""

from __future__ import annotations

import pytest

from tuppence.storage import save_time


def test_the_time_is_that_of_all_bytes_on_the_disk_and_on_the_line() -> None:
    found = save_time(1_000_000, bytes_per_second=1e6, disk_bytes_per_second=2e6)
    assert found.bytes == 12_000_000 + 4_000_000
    assert (found.disk_seconds, found.upload_seconds, found.measured) == (8.0, 16.0, True)
    assert found.seconds == pytest.approx(29.0)
    adapter = save_time(1_000_000, trained_parameters=10_000, bytes_per_second=1e6)
    assert adapter.bytes == 120_000 + 4_000_000


def test_small_models_fit_into_the_time_before_sigkill_and_large_ones_do_not() -> None:
    assert [save_time(n).fits for n in (124_439_808, 354_823_168, 774_030_080, 1_557_611_200)] == [
        *(True, True, False, False)
    ]
    assert not save_time(124_439_808).measured
