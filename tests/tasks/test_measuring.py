"""Measuring this machine: real steps of a tiny model. No time is asserted."""

from __future__ import annotations

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.ledger import Rate
from tuppence.cost.plan import Machine, row_of
from tuppence.model.config import ModelConfig
from tuppence.tasks import measuring
from tuppence.tasks.measuring import measure_for, this_machine
from tuppence.tasks.planning import plan, size_of

CONFIG = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=32, vocab_size=64)


@pytest.fixture(scope="module")
def here() -> Machine:
    return this_machine(CONFIG, 1e4, seconds=0.2)


def test_every_part_of_a_run_is_measured(here: Machine) -> None:
    assert (here.name, here.device, here.speed.basis, here.on_aws) == ("this machine", "CPU", "measured", False)
    numbers = (
        here.speed.flops_per_second,
        here.lead_seconds,
        here.compile_seconds,
        here.saved_bytes_a_second,
        here.forward_share,
    )
    assert all(number > 0 for number in numbers)
    assert "tokens in" in here.speed.source
    assert 0 < here.memory_gib < 100_000


def test_the_plan_has_this_machine_in_its_first_row(here: Machine) -> None:
    answer = plan(CONFIG, 1e6, on=["ml.g5.xlarge"], here=here)
    assert [row.machine.name for row in answer.rows] == ["this machine", "ml.g5.xlarge"]
    assert answer.rows[0].dollars == 0
    assert answer.rows[0].tokens_per_second == pytest.approx(here.speed.flops_per_second / CONFIG.flops_per_token())
    assert {line.name for line in answer.rows[0].lines} == {"lead", "compile", "training", "evaluation", "saves"}
    assert "this machine" in str(answer)
    assert "no rent" in answer.recommendation


def test_a_budget_needs_a_rate(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="price of an hour of this machine"):
        plan(CONFIG, budget=5, here=here)
    monkeypatch.setattr(measuring, "this_machine", lambda config, tokens, price, say: (config, tokens, price))
    name, asked = measure_for("nano", "1M", Rate(0.5, "given by --rate"))
    assert (name, asked[1], asked[2].usd) == ("nano", 1e6, 0.5)  # type: ignore[index]
    assert measure_for("nano", None, Rate())[1][2] is None  # type: ignore[index]


def test_a_measurement_leaves_nothing_behind(here: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    this_machine(CONFIG, 1e4, seconds=0.01)
    assert capsys.readouterr() == ("", "")


def test_a_person_who_waits_is_told_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(measuring, "SECONDS_BETWEEN_NOTES", 0.0)
    this_machine(CONFIG, 1e4, seconds=0.01, say=told.append)
    assert told[0].startswith("measuring this machine: two steps")
    assert "  step 1 of 2" in told
    assert any(line.startswith("measuring ") and line.endswith("one evaluation and one checkpoint") for line in told)
    assert told[-1] == "  one evaluation and one checkpoint"


def test_a_longer_run_takes_longer(here: Machine) -> None:
    short, long = (row_of(size_of(CONFIG), tokens, here) for tokens in (1e6, 1e7))
    training = [next(line.seconds for line in row.lines if line.name == "training") for row in (short, long)]
    assert training[1] == pytest.approx(10 * training[0])
