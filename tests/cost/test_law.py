"""The law against published runs, against its own derivation, and fits against data with a known law."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tuppence.core.errors import InputError
from tuppence.cost.law import FINEWEB, Law, Point, fit_law, short

PUBLISHED = [
    # parameters, tokens, validation loss on FineWeb with GPT-2's tokenizer and AdamW, source
    (124.4e6, 10.26e9, 3.2722, "llm.c, modded-nanogpt records/track_1_short/2024-10-13_llmc"),
    (354.8e6, 31.5e9, 2.9282, "llm.c, modded-nanogpt records/track_2_medium/2025-01-18"),
    (1557.6e6, 10.0e9, 2.7737, "modded-nanogpt 2024-10-20_ScaleUp1B, AdamW"),
]


@pytest.mark.parametrize(("parameters", "tokens", "loss", "source"), PUBLISHED, ids=[row[3] for row in PUBLISHED])
def test_the_law_predicts_published_runs_within_its_error(
    parameters: float, tokens: float, loss: float, source: str
) -> None:
    assert FINEWEB.refusal(parameters, tokens) is None
    assert abs(FINEWEB.loss(parameters, tokens) - loss) <= FINEWEB.error


def test_a_better_recipe_is_below_the_law() -> None:
    """Muon and a modern architecture reach llm.c's loss with 2.67 billion tokens (2024-10-14_ModernArch)."""
    assert FINEWEB.loss(124.4e6, 2.67e9) - 3.2741 > 0.2


def test_the_best_size_is_a_minimum() -> None:
    for flops in (1e19, 1e20, 1e21):
        parameters, tokens = FINEWEB.best_size(flops)
        assert 6 * parameters * tokens == pytest.approx(flops)
        best = FINEWEB.loss(parameters, tokens)
        for factor in (0.9, 1.1):
            assert FINEWEB.loss(parameters * factor, tokens / factor) > best


def test_the_best_size_grows_as_the_paper_says() -> None:
    """Besiroglu et al. 2024: N grows with C to the power 0.5126."""
    small, large = FINEWEB.best_size(1e20)[0], FINEWEB.best_size(1e22)[0]
    assert math.log(large / small) / math.log(100) == pytest.approx(0.5126, abs=5e-4)


@pytest.mark.parametrize(
    ("parameters", "tokens", "reason"),
    [
        (13.9e6, 1.5e6, "no law below 44M parameters"),
        (124e6, 0.5e9, "no law below 1B tokens"),
        (20e9, 1e10, "no law above 16B parameters"),
        (124e6, 2e12, "no law above 1T tokens"),
    ],
)
def test_outside_its_range_the_law_says_nothing(parameters: float, tokens: float, reason: str) -> None:
    assert FINEWEB.refusal(parameters, tokens) == reason


def test_the_formula_would_be_nonsense_there() -> None:
    assert FINEWEB.loss(13.8e6, 1.5e6) > math.log(8192)


TRUE = Law(1.2, 300.0, 0.4, 900.0, 0.33, 0.0, 1, 1e12, 1, 1e15, "", "")
GRID = [(n, d) for n in (2e5, 8e5, 3.2e6) for d in (1e6, 2e6, 4e6)]


def points(noise: float = 0.0, grid: list[tuple[float, float]] = GRID) -> list[Point]:
    random = np.random.default_rng(0)
    return [Point(n, d, TRUE.loss(n, d) + noise * float(random.standard_normal())) for n, d in grid]


def test_a_fit_to_exact_points_predicts_a_larger_run() -> None:
    fitted = fit_law(points())
    assert fitted.loss(12.8e6, 16e6) == pytest.approx(TRUE.loss(12.8e6, 16e6), abs=0.05)
    assert fitted.source == "fitted to 9 runs"


def test_a_fit_to_noisy_points_stays_near_them_and_states_its_error() -> None:
    noisy = points(noise=0.02)
    fitted = fit_law(noisy)
    assert max(abs(fitted.loss(p.parameters, p.tokens) - p.loss) for p in noisy) < 0.06
    assert 0.02 <= fitted.error < 0.3
    assert abs(fitted.loss(12.8e6, 8e6) - TRUE.loss(12.8e6, 8e6)) < 2 * fitted.error + 0.05


def test_four_runs_are_enough_and_a_wrong_one_shows_in_the_error() -> None:
    four = points(grid=[(2e5, 1e6), (2e5, 4e6), (3.2e6, 1e6), (3.2e6, 4e6)])
    assert fit_law(four).error < 0.3
    wrong = [*four[:3], Point(four[3].parameters, four[3].tokens, four[3].loss + 1.0)]
    assert fit_law(wrong).error > fit_law(four).error + 0.3


def test_a_fitted_law_reaches_ten_times_as_far_and_no_farther() -> None:
    fitted = fit_law(points())
    assert fitted.refusal(30e6, 30e6) is None
    assert fitted.refusal(33e6, 30e6) == "no law above 32M parameters"
    assert fitted.refusal(1e6, 41e6) == "no law above 40M tokens"
    assert fitted.refusal(5e4, 2e6) == "no law below 100K parameters"


@pytest.mark.parametrize(
    "grid",
    [GRID[:3], [(2e5, d) for d in (1e6, 2e6, 3e6, 4e6)], [(n, 1e6) for n in (1e5, 2e5, 3e5, 4e5)], []],
)
def test_too_few_runs_are_refused(grid: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match="four runs of two sizes and two lengths"):
        fit_law(points(grid=grid))


def test_a_run_without_a_loss_is_refused() -> None:
    with pytest.raises(InputError, match="above zero"):
        fit_law([*points()[:-1], Point(1e6, 1e6, float("nan"))])


def test_short_numbers() -> None:
    assert [short(value) for value in (0, 12, 999.9, 1e3, 468_000, 9_999_999, 1.5576e9)] == [
        *("0", "12", "1K", "1K", "468K", "10M", "1.56B")
    ]


def test_a_published_law_says_nothing_below_the_operations_of_its_runs() -> None:
    assert FINEWEB.refusal(124e6, 10e9) is None
    assert FINEWEB.refusal(124e6, 2.5e9) == "no law below 6e+18 operations"
    assert FINEWEB.refusal(2e9, 1.1e9) is None
