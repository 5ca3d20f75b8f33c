from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.pace import WORK
from tuppence.quickstart.plan import LANGUAGE_MODELS, READ_BY, RESULTS, ROWS, Plan, Share
from tuppence.training.config import TrainConfig


def finish(root: Path, *names: str) -> None:
    """Writes empty results of stages."""
    for name in names:
        (root / RESULTS[name]).parent.mkdir(parents=True, exist_ok=True)
        (root / RESULTS[name]).write_text("")


def test_stages_that_need_a_skipped_one_are_skipped(tmp_path: Path) -> None:
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


def test_stages_that_need_an_earlier_result_are_not_skipped(tmp_path: Path) -> None:
    plan = Plan(tmp_path, skip=frozenset({"instruct"}))
    assert list(plan.left_out) == ["instruct", "dpo"]
    finish(tmp_path, "instruct")
    assert plan.is_done("instruct")
    assert list(plan.left_out) == ["instruct"]


def test_the_models_are_those_of_stages_that_are_done_or_to_be_done(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    assert [path.name for path in plan.models({})] == list(LANGUAGE_MODELS)
    left_out = plan.without({"instruct": "skipped, as asked"})
    assert plan.models(left_out) == [tmp_path / "pretrain"]
    finish(tmp_path, "dpo")
    assert plan.models(left_out) == [tmp_path / "pretrain", tmp_path / "dpo"]


def test_a_smaller_stage_has_fewer_rows_and_never_more_than_the_limit() -> None:
    def counts(plan: Plan, share: float = 1.0) -> dict[str, int]:
        return {name: plan.count(name, Share(max(1, round(share * WORK[READ_BY[name]].most)))) for name in ROWS}

    assert counts(Plan(Path("x"))) == ROWS
    assert counts(Plan(Path("x")), 0.5) == {"sms": 4_000, "instructions": 10_000, "preferences": 1_500}
    assert counts(Plan(Path("x")), 0.001) == dict.fromkeys(ROWS, 100)
    assert counts(Plan(Path("x"), rows=5_000)) == {"sms": 5_000, "instructions": 5_000, "preferences": 3_000}
    assert counts(Plan(Path("x"), rows=10**9)) == ROWS


def test_the_choices_of_the_user_bound_the_sizes() -> None:
    assert Plan(Path("x")).works(STAGES) == WORK
    few = Plan(Path("x"), stories=300, max_steps=2).works(STAGES)
    assert {name: (work.least, work.most) for name, work in few.items()} == {
        **dict.fromkeys(("stories", "tokenizer", "data"), (300, 300)),
        **dict.fromkeys(("pretrain", "spam", "instruct", "dpo"), (2, 2)),
        **{name: (WORK[name].least, WORK[name].most) for name in ("evaluate", "report")},
    }
    assert "pretrain" not in Plan(Path("x"), minutes=3.0).works(STAGES)


@pytest.mark.parametrize(
    ("share", "steps", "flags"),
    [
        (Share(850), 850, " --max-steps 850"),
        (Share(60, 0.75), 60, " --max-steps 60 --max-minutes 0.75"),
        (Share(None, 2.0), None, " --max-minutes 2"),
    ],
)
def test_a_share_limits_the_recipe_and_the_command_equally(share: Share, steps: int | None, flags: str) -> None:
    plan, train = Plan(Path("x"), rate=Rate(0.7364, "a test")), TrainConfig(batch_size=3)
    assert plan.train(train, share) == train.model_copy(update={"max_steps": steps})
    assert plan.limits(share) == f"{flags} --rate 0.7364"
    options = plan.options(share)
    assert (options.max_minutes, options.rate, options.budget_usd) == (share.minutes, plan.rate, None)
