"""The functions that do the stages of the quickstart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuppence.quickstart.actions import train_enough
from tuppence.quickstart.pace import WORK
from tuppence.quickstart.plan import FULL, Plan, Share
from tuppence.quickstart.stages import list_stages
from tuppence.tasks.run_options import RunOptions
from tuppence.training.config import TrainConfig


@pytest.mark.parametrize(("first", "runs"), [(0, 2), (3, 2), (20, 1)])
def test_a_stage_stopped_before_its_least_steps_continues_without_a_time_limit(
    monkeypatch: pytest.MonkeyPatch, first: int, runs: int
) -> None:
    monkeypatch.setitem(WORK, "dpo", WORK["dpo"].exactly(20))
    asked: list[tuple[int | None, float | None]] = []

    def train(config: TrainConfig, options: RunOptions) -> dict[str, Any]:
        asked.append((config.max_steps, options.max_minutes))
        return {"result": {"steps": first if len(asked) == 1 else config.max_steps}}

    found = train_enough(Plan(Path("x")), "dpo", Share(50, 0.2), TrainConfig(), train)
    assert asked == [(50, 0.2), (20, None)][:runs]
    assert found["result"]["steps"] == 20


def test_repeated_data_stages_write_the_same_bytes_and_keep_the_tokenizer(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    stories, tokenizer, data = list_stages(plan, {**FULL, "stories": Share(150)})[:3]
    first = stories.do()
    text = plan.place("stories.txt").read_bytes()
    assert first["bytes"] == len(text)
    assert text.decode().startswith(first["sample"])
    assert stories.do() == first
    assert plan.place("stories.txt").read_bytes() == text
    learned = tokenizer.do()
    assert "".join(learned["pieces"]) == "The lighthouse keeper whispered."
    before = plan.place("tokenizer/tokenizer.json").stat().st_mtime_ns
    assert tokenizer.do() == learned
    assert plan.place("tokenizer/tokenizer.json").stat().st_mtime_ns == before
    tokens = data.do()
    assert 0 < tokens["val"] < 0.1 * tokens["train"]
    assert all(plan.is_done(stage.name) for stage in (stories, tokenizer, data))
