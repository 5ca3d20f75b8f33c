from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.aws.order import InChannel, Order
from tuppence.core.errors import CorruptFileError

ORDER = Order(
    verb="pretrain",
    words=("--data", InChannel("input-0", "data"), InChannel("input-1", "", "--config="), "--out", "s3://b/run"),
    line=("--data", "DATA", "--out", "run"),
    output="s3://b/run",
    cap_usd=5.0,
    rate_usd_per_hour=0.7364,
    rate_source="a price list",
    instances=("ml.g4dn.xlarge",),
    count=1,
    spot=True,
    region="us-east-1",
    lead_seconds=300.0,
    tail_seconds=30.0,
    several_ranks=True,
    metrics=True,
    files={"input-0": {"data/index.json": (3, "0" * 64)}},
)


def test_an_order_is_read_as_it_was_written() -> None:
    assert Order.of_text(ORDER.as_text()) == ORDER


def test_words_become_paths_of_this_machine() -> None:
    words = ORDER.verb_line(lambda channel: Path("/opt/ml/input/data") / channel)
    assert words[:3] == ["--data", "/opt/ml/input/data/input-0/data", "--config=/opt/ml/input/data/input-1"]


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", ORDER.as_text().replace('"version": 1', '"version": 2'), '{"version": 1}']
)
def test_damaged_order_is_refused(text: str) -> None:
    with pytest.raises(CorruptFileError):
        Order.of_text(text)
