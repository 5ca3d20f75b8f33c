"""Targets are counted as the loss counts them."""

from __future__ import annotations

import torch

from tuppence.data.buckets import IGNORED_TARGET
from tuppence.training.objective import Sums, count_targets


def test_ignored_targets_do_not_count() -> None:
    targets = torch.tensor([[1, IGNORED_TARGET, 3], [IGNORED_TARGET, IGNORED_TARGET, 0]])
    assert count_targets((torch.zeros(2, 3), targets)) == 3
    ones = torch.nn.functional.cross_entropy(
        torch.zeros(6, 5), targets.flatten(), ignore_index=IGNORED_TARGET, reduction="sum"
    ) / torch.log(torch.tensor(5.0))
    assert round(float(ones)) == 3


def test_sums_keep_their_order_and_no_graph() -> None:
    sums, loss = Sums(("a", "b"), "cpu"), torch.tensor(2.0, requires_grad=True)
    sums.add(loss * 2, {"b": torch.tensor(5), "a": torch.tensor(0.5)})
    sums.add(loss, {"a": torch.tensor(0.25), "b": torch.tensor(1)})
    assert sums.names == ("loss", "a", "b")
    assert sums.as_floats() == [6.0, 0.75, 6.0]
