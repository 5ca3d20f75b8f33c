from __future__ import annotations

import torch

from tuppence.training.execution import Execution


def test_on_the_cpu_nothing_is_copied() -> None:
    execution = Execution("cpu", "float32", compile=False)
    batch = (torch.ones(2),)
    assert execution.to_device(batch) is batch
    values = torch.ones(3)
    assert execution.sum_on_device(values) is values
    assert execution.fetch(values) == (values, None)
