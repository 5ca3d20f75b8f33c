from __future__ import annotations

import pytest
from tests.aws.test_receipt import ledger

from tuppence.aws.at_output import attempts_at, found_at, spent_at


def test_an_empty_output_has_cost_nothing(objects: dict[str, bytes]) -> None:
    assert (attempts_at("s3://b/run"), spent_at("s3://b/run"), found_at("s3://b/run")) == ([], 0.0, "")


def test_all_attempts_of_the_ledger_count(objects: dict[str, bytes]) -> None:
    rows = [{"attempt": number, "event": "end", "seconds": 1800.0} for number in (1, 2)]
    objects["s3://b/run/ledger.jsonl"] = ledger(*rows)
    assert spent_at("s3://b/run") == pytest.approx(0.7364)


def test_a_damaged_run_file_is_a_run_that_goes_on(objects: dict[str, bytes]) -> None:
    objects["s3://b/run/run.yaml"] = b"- not a mapping"
    assert "continues it" in found_at("s3://b/run")
