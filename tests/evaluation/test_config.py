from __future__ import annotations

from tuppence.evaluation.config import EvalConfig


def test_data_named_for_a_task_comes_before_the_common_data() -> None:
    config = EvalConfig(data="all.jsonl", task_data={"piqa": "piqa.jsonl"})
    assert [config.data_of(task) for task in ("piqa", "choices")] == ["piqa.jsonl", "all.jsonl"]
    assert EvalConfig().data_of("piqa") is None
