"""Evaluation mode inside a context, and the mode of before after it, also after an error."""

from __future__ import annotations

import pytest
from torch import nn

from tuppence.model.modes import evaluation_mode


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_before_comes_back_after_an_error(training: bool) -> None:
    model = nn.Sequential(nn.Dropout()).train(training)
    with pytest.raises(ZeroDivisionError), evaluation_mode(model):
        assert not model.training
        assert not model[0].training
        raise ZeroDivisionError
    assert (model.training, model[0].training) == (training, training)
