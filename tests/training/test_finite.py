"""Numbers that are none are refused, with the step and a way out."""

from __future__ import annotations

import math

import pytest
import torch

from tuppence.core.errors import NonFiniteError
from tuppence.training.finite import require_finite_step, require_finite_validation, require_finite_weights


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_loss_a_norm_or_a_validation_loss_that_is_none_is_refused(wrong: float) -> None:
    require_finite_step(1.0, 2.0, step=0, scaled=False)
    require_finite_validation(1.0, step=0)
    with pytest.raises(NonFiniteError, match=r"the loss is .* at step 7") as caught:
        require_finite_step(wrong, 1.0, step=7, scaled=True)
    assert "learning_rate" in str(caught.value.hint)
    with pytest.raises(NonFiniteError, match=r"gradient's norm is .* at step 7"):
        require_finite_step(1.0, wrong, step=7, scaled=False)
    with pytest.raises(NonFiniteError, match=r"validation loss is .* at step 7"):
        require_finite_validation(wrong, step=7)


def test_an_infinite_gradient_is_the_loss_scaler_s_business() -> None:
    require_finite_step(1.0, math.inf, step=7, scaled=True)


def test_one_wrong_weight_among_many_is_seen() -> None:
    weights = [torch.ones(3, 3), torch.zeros(5)]
    require_finite_weights(weights, step=1)
    weights[1][4] = math.nan
    with pytest.raises(NonFiniteError, match="a weight is not finite at step 1"):
        require_finite_weights(weights, step=1)
