"""Numbers that are not finite give an error with the step and a hint."""

from __future__ import annotations

import math

import pytest
import torch

from tuppence.core.errors import NonFiniteError
from tuppence.training.finite import all_finite, require_finite_step, require_finite_validation, require_finite_weights


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_loss_norm_or_validation_loss_that_is_not_finite_is_an_error(wrong: float) -> None:
    require_finite_step(1.0, 2.0, step=0, scaled=False)
    require_finite_validation(1.0, step=0)
    with pytest.raises(NonFiniteError, match=r"the loss is .* at step 7") as caught:
        require_finite_step(wrong, 1.0, step=7, scaled=True)
    assert "learning_rate" in str(caught.value.hint)
    with pytest.raises(NonFiniteError, match=r"gradient's norm is .* at step 7"):
        require_finite_step(1.0, wrong, step=7, scaled=False)
    with pytest.raises(NonFiniteError, match=r"validation loss is .* at step 7"):
        require_finite_validation(wrong, step=7)


def test_an_infinite_gradient_is_no_error_with_a_loss_scale() -> None:
    require_finite_step(1.0, math.inf, step=7, scaled=True)


def test_one_weight_that_is_not_finite_is_found() -> None:
    weights = [torch.ones(3, 3), torch.zeros(5)]
    require_finite_weights(all_finite(weights), step=1)
    weights[1][4] = math.nan
    with pytest.raises(NonFiniteError, match="a weight is not finite at step 1"):
        require_finite_weights(all_finite(weights), step=1)
