from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.cost.ledger import Rate
from tuppence.quickstart.plan import LANGUAGE_MODELS, RESULTS, ROWS, Plan
from tuppence.training.config import TrainConfig


def stand(root: Path, *names: str) -> None:
    """Leaves the results of stages."""
    for name in names:
        (root / RESULTS[name]).parent.mkdir(parents=True, exist_ok=True)
        (root / RESULTS[name]).write_text("")


def test_a_skipped_stage_takes_along_what_needs_it(tmp_path: Path) -> None:
    assert Plan(tmp_path).left_out == {}
    assert Plan(tmp_path, skip=frozenset({"data"})).left_out == {
        "data": "skipped, as asked",
        "pretrain": "skipped: it needs data, which is skipped",
        "spam": "skipped: it needs pretrain, which is skipped",
        "instruct": "skipped: it needs pretrain, which is skipped",
        "dpo": "skipped: it needs instruct, which is skipped",
        "evaluate": "skipped: it needs pretrain, which is skipped",
        "report": "skipped: it needs pretrain, which is skipped",
    }


def test_a_skipped_stage_whose_result_stands_takes_along_nothing(tmp_path: Path) -> None:
    plan = Plan(tmp_path, skip=frozenset({"instruct"}))
    assert list(plan.left_out) == ["instruct", "dpo"]
    stand(tmp_path, "instruct")
    assert plan.stands("instruct")
    assert list(plan.left_out) == ["instruct"]


def test_the_models_are_those_that_will_stand_in_the_order_in_which_they_come_from_another(tmp_path: Path) -> None:
    assert [path.name for path in Plan(tmp_path).models] == list(LANGUAGE_MODELS)
    plan = Plan(tmp_path, skip=frozenset({"instruct"}))
    assert plan.models == [tmp_path / "pretrain"]
    stand(tmp_path, "dpo")
    assert plan.models == [tmp_path / "pretrain", tmp_path / "dpo"]


def test_rows_are_a_limit_and_no_wish(tmp_path: Path) -> None:
    assert {name: Plan(tmp_path).count(name) for name in ROWS} == ROWS
    few, many = Plan(tmp_path, rows=5_000), Plan(tmp_path, rows=10**9)
    assert {name: few.count(name) for name in ROWS} == {"sms": 5_000, "instructions": 5_000, "preferences": 3_000}
    assert {name: many.count(name) for name in ROWS} == ROWS


@pytest.mark.parametrize(
    ("recipe", "most", "steps", "flag"),
    [
        (850, None, 850, ""),
        (850, 2, 2, " --max-steps 2"),
        (60, 100, 60, ""),
        (None, 100, 100, " --max-steps 100"),
        (None, None, None, ""),
    ],
)
def test_the_lower_limit_of_steps_counts_in_the_recipe_and_in_the_command_alike(
    recipe: int | None, most: int | None, steps: int | None, flag: str
) -> None:
    plan, train = Plan(Path("x"), max_steps=most), TrainConfig(max_steps=recipe, batch_size=3)
    assert plan.train(train) == train.model_copy(update={"max_steps": steps})
    assert plan.limits(train, 1.75) == f"{flag} --max-minutes 1.75"


def test_a_rate_is_passed_on_and_so_are_the_minutes() -> None:
    plan = Plan(Path("x"), rate=Rate(0.7364, "a test"))
    assert plan.limits(TrainConfig(), 2.0) == " --max-minutes 2 --rate 0.7364"
    options = plan.options(2.0)
    assert (options.max_minutes, options.rate, options.budget) == (2.0, plan.rate, None)
