from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from tuppence.synthetic import english, instructions, paraphrase, phrasing, preferences, sms, stories


@pytest.mark.parametrize("module", [english, instructions, paraphrase, phrasing, preferences, sms, stories])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
