from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.aws.job import GRACE_SECONDS
from tuppence.aws.time_limits import TAIL_SECONDS, save_seconds, time_limits
from tuppence.core.errors import InputError

AROUND = 300 + GRACE_SECONDS + TAIL_SECONDS


def test_lead_grace_and_upload_are_taken_off_the_runtime() -> None:
    limits = time_limits(1.0, 1.0, spot=False, lead=300, save=10)
    assert (limits.max_runtime, limits.max_wait) == (3600 - AROUND, None)


def test_a_run_is_no_longer_than_the_account_allows() -> None:
    assert time_limits(100.0, 1.0, spot=False, lead=300, save=10, most_seconds=7200).max_runtime == 7200


def test_a_spot_job_waits_no_longer_than_its_cap_buys_unless_asked() -> None:
    assert time_limits(1.0, 1.0, spot=True, lead=300, save=10).max_wait == 3600 - GRACE_SECONDS - TAIL_SECONDS
    assert time_limits(1.0, 1.0, spot=True, lead=300, save=10, wait_hours=5).max_wait == 5 * 3600
    with pytest.raises(InputError, match="--max-wait-hours"):
        time_limits(1.0, 1.0, spot=True, lead=300, save=10, wait_hours=0.5)


@given(dollars=st.floats(0.001, 1e5), rate=st.floats(0.01, 200), spot=st.booleans(), parameters=st.floats(1e3, 2e9))
def test_aws_alone_never_bills_more_than_the_cap(dollars: float, rate: float, spot: bool, parameters: float) -> None:
    try:
        limits = time_limits(dollars, rate, spot=spot, lead=300, save=save_seconds(parameters))
    except InputError as refused:
        least = float(refused.hint.partition("$")[2].partition(",")[0])
        assert least >= dollars
        assert time_limits(least, rate, spot=spot, lead=300, save=save_seconds(parameters)).max_runtime > 0
        return
    longest = limits.max_runtime + AROUND if limits.max_wait is None else limits.max_wait + GRACE_SECONDS + TAIL_SECONDS
    assert longest / 3600 * rate <= dollars * (1 + 1e-9)
    assert 0 < limits.max_runtime <= 28 * 24 * 3600
