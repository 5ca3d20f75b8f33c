"""Figures of one point, of no text, and of hostile text: a Figure without warnings, and an SVG without markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.figures.conftest import NASTY

from tuppence import figures
from tuppence.figures.svg import to_svg

SMALLEST: dict[str, Callable[[], Any]] = {
    "ablations": lambda: figures.ablations({"whole": 1.0}),
    "architecture": lambda: figures.architecture({}),
    "attention_cost": lambda: figures.attention_cost([1], {"a": [1.0]}),
    "attention_map": lambda: figures.attention_map([[1.0]]),
    "attention_maps": lambda: figures.attention_maps(np.ones((1, 1, 1, 1))),
    "attention_steps": lambda: figures.attention_steps([[0.0]], [[True]]),
    "bytes_per_token": lambda: figures.bytes_per_token([257], [1.0]),
    "cache_speed": lambda: figures.cache_speed([1], [1.0], [0.0]),
    "dollars_against_loss": lambda: figures.dollars_against_loss([1.0], [3.0]),
    "fertility": lambda: figures.fertility({"English": 1}),
    "gae_ladder": lambda: figures.gae_ladder([1.0], [0.0], [1.0]),
    "label_efficiency": lambda: figures.label_efficiency([16], {"a": [0.5]}),
    "loss_and_samples": lambda: figures.loss_and_samples([1], [3.0], []),
    "loss_curves": lambda: figures.loss_curves({"a": ([], []), "b": ([1], [2.0])}),
    "loss_mask": lambda: figures.loss_mask([""], [False]),
    "masks": lambda: figures.masks({"": [[True]]}),
    "merge_tree": lambda: figures.merge_tree([["a"]]),
    "parameters_by_part": lambda: figures.parameters_by_part({"a": 1}),
    "rank_and_forgetting": lambda: figures.rank_and_forgetting(["all"], [1.0], [1.0]),
    "residual_norms": lambda: figures.residual_norms({"a": [0.0, 1.0]}),
    "resume_proof": lambda: figures.resume_proof([1], [1.0], [1], [1.0], killed_at=1, hashes=("", "")),
    "reward_against_length": lambda: figures.reward_against_length([1], [1.0]),
    "reward_frontier": lambda: figures.reward_frontier([0.0], [0.0], [0.0]),
    "roadmap": lambda: figures.roadmap(["a"], [0.0], [0]),
    "sampling_cut": lambda: figures.sampling_cut(["a"], {"": [1.0]}),
    "saturation": lambda: figures.saturation([1], [1.0], [1.0]),
    "scale": lambda: figures.scale({"a": 1}, rumours={"a": "rumour"}),
    "scaling_law": lambda: figures.scaling_law([1.0], [1.0]),
    "schedule": lambda: figures.schedule([1], {"a": [0.0]}),
    "singular_values": lambda: figures.singular_values({"a": [1.0]}),
    "stages": lambda: figures.stages([("", "", "", "")]),
    "token_values": lambda: figures.token_values(["a"], [0.0]),
    "tokens_strip": lambda: figures.tokens_strip([]),
    "windows": lambda: figures.windows(["a", "b"], 1),
}

HOSTILE: dict[str, Callable[[str], Any]] = {
    "ablations": lambda text: figures.ablations({"whole": 1.0, text: 2.0}),
    "attention_map": lambda text: figures.attention_map(np.eye(2), [text, "b"]),
    "dollars_against_loss": lambda text: figures.dollars_against_loss([1, 2], [3.0, 2.0], names=[text, "b"]),
    "fertility": lambda text: figures.fertility({text: 1, "b": 2}),
    "loss_and_samples": lambda text: figures.loss_and_samples([1, 2], [3.0, 2.0], [(1, text)]),
    "loss_curves": lambda text: figures.loss_curves({text: ([1, 2], [3.0, 2.0])}, x_label=text, unit=text),
    "masks": lambda text: figures.masks({text: [[True]]}),
    "merge_tree": lambda text: figures.merge_tree([list(text[:9])]),
    "roadmap": lambda text: figures.roadmap([text], [1.0], [1], ideas=[text]),
    "sampling_cut": lambda text: figures.sampling_cut([text], {text: [1.0]}),
    "scale": lambda text: figures.scale({text: 1, "b": 2}, rumours={text: text}),
    "stages": lambda text: figures.stages([(text, text, text, text)]),
    "tokens_strip": lambda text: figures.tokens_strip([text], [1], title=text),
    "windows": lambda text: figures.windows([text, "b", "c"], 1),
}


def test_every_figure_of_the_course_has_a_smallest_example() -> None:
    assert sorted(SMALLEST) == [name for name in figures.__all__ if not name.startswith("plot_")]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_input_gives_a_figure(name: str) -> None:
    figure = SMALLEST[name]()
    assert to_svg(figure, "x").startswith("<svg")
    assert figure.alt


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", [NASTY, "$x^2$ and $5", "bell \x07 \x00", "half \ud83d", "垃圾邮件 🎁"])
@pytest.mark.parametrize("name", HOSTILE)
def test_any_text_can_be_drawn_and_is_escaped(name: str, text: str) -> None:
    svg = to_svg(HOSTILE[name](text), "x")
    assert "<script" not in svg
    assert "<img" not in svg
    svg.encode()
