"""Matrix products run in the precision that is asked for, and weights keep theirs."""

from __future__ import annotations

import pytest
import torch

from tuppence.model.precision import DTYPES, autocast


@pytest.mark.parametrize("name", ["float32", "bf16"])
def test_products_have_the_precision_and_weights_do_not_change(name: str) -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast("cpu", name):
        assert layer(torch.ones(2, 4)).dtype == DTYPES[name]
    assert layer.weight.dtype == torch.float32


def test_float32_needs_no_autocast() -> None:
    with autocast("cuda:1", "float32"):  # also without such a device
        assert not torch.is_autocast_enabled("cuda")
