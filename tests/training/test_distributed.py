"""A world of one needs no network; two ranks are tested in tests/integration/test_equivalence.py."""

from __future__ import annotations

import pytest

from tuppence.training.distributed import World, join_world, leave_world


def test_without_torchrun_there_is_one_rank_that_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    world = join_world("cpu")
    assert world == World(0, 1, 0)
    assert world.leads
    assert world.sum([1.5, 2.0], "cpu") == [1.5, 2.0]
    assert world.broadcast(3.0, "cpu") == 3.0
    world.wait()
    leave_world()
