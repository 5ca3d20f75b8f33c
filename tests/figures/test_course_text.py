"""What the figures of tokens show is what they were given."""

from __future__ import annotations

import io
from typing import Any

import pytest
from matplotlib.colors import to_rgba

from tuppence.figures import (
    bytes_per_token,
    fertility,
    loss_mask,
    merge_tree,
    style,
    token_values,
    tokens_strip,
    windows,
)
from tuppence.figures.style import BLUE, ORANGE


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_strip_has_every_token_with_its_id_and_shows_spaces_and_line_breaks() -> None:
    shown = texts(tokens_strip(["a", " b", "\n"], [5, 6, 7]))
    assert shown[1:] == ["a", "5", "·b", "6", "↵", "7"]
    assert shown[0] == "4 characters are 3 tokens"


def test_tokens_wrap_into_lines_inside_the_figure() -> None:
    figure = tokens_strip(["token"] * 40)
    assert max(box.get_x() + box.get_width() for box in figure.axes[0].patches) < 5
    assert len({round(box.get_y(), 3) for box in figure.axes[0].patches}) > 3


def test_a_token_longer_than_a_line_is_cut() -> None:
    assert texts(tokens_strip(["x" * 400]))[1].endswith("…")


@pytest.mark.filterwarnings("error")  # matplotlib warns where it draws a box for a character
def test_characters_without_a_font_are_escapes_and_the_strip_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "FALLBACK_FONTS", ())
    figure = tokens_strip(["नम", "字", " ab"], [5, 6, 7])
    assert texts(figure) == [
        *("6 characters are 3 tokens", r"\u0928\u092e", "5", r"\u5b57", "6", "·ab", "7"),
        r"\u… is a character that no font here has",
    ]
    assert "नम | 字" in figure.alt
    figure.savefig(io.BytesIO(), format="png")


def test_a_merge_tree_gives_an_escape_the_room_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "FALLBACK_FONTS", ())
    wide, narrow = merge_tree([["字", "b"]]).axes[0].patches
    assert wide.get_width() > 5 * narrow.get_width()
    with pytest.raises(ValueError, match="room for 44 letters, not 48"):
        merge_tree([["字"] * 8])


def test_only_counted_tokens_are_filled() -> None:
    figure = loss_mask(["a", "b", "c"], [False, True, True])
    assert [patch.get_facecolor()[3] > 0 for patch in figure.axes[0].patches] == [False, True, True]
    assert texts(figure)[0] == "The loss counts 2 of 3 tokens"


def test_values_are_the_depth_of_the_colour() -> None:
    depths = [patch.get_facecolor()[3] for patch in token_values(["a", "b", "c"], [0.0, 0.5, 1.0]).axes[0].patches]
    assert depths == pytest.approx([0.0, 0.225, 0.45])


def test_a_merge_tree_marks_what_the_merge_made_and_counts_the_tokens() -> None:
    figure = merge_tree([["a", "b", "a", "b"], ["ab", "ab"], ["abab"]])
    edges = [patch.get_edgecolor() for patch in figure.axes[0].patches]
    assert edges == [to_rgba(BLUE)] * 4 + [to_rgba(ORANGE)] * 3
    assert texts(figure)[1:] == ["tokens", "a", "b", "a", "b", "4", "ab", "ab", "2", "abab", "1"]


def test_a_merge_tree_refuses_rows_of_different_texts_and_long_texts() -> None:
    with pytest.raises(ValueError, match="join to the same text"):
        merge_tree([["a", "b"], ["ac"]])
    with pytest.raises(ValueError, match="room for 44 letters, not 45"):
        merge_tree([["a"] * 45])


def test_languages_are_sorted_by_their_multiple_of_the_reference() -> None:
    axes = fertility({"A": 10, "B": 30, "C": 20}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["B", "C", "A"]
    assert [bar.get_width() for bar in axes.patches] == [3, 2, 1]
    assert [bar.get_width() for bar in fertility({"A": 10, "B": 30}, reference="B").axes[0].patches] == [1, 1 / 3]


def test_bytes_per_token_go_through_the_points() -> None:
    figure = bytes_per_token([256, 512], [1.0, 2.0])
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[256, 1], [512, 2]]
    assert " ".join(figure.get_suptitle().split()) == "2 times the vocabulary holds 2.0 times the bytes in a token"


def test_windows_have_the_targets_one_token_after_the_inputs() -> None:
    shown = [text for text in texts(windows(["a", "b", "c", "d", "e"], 2))[1:] if len(text) == 1]
    assert shown == [*"abcde", *"ab", *"bc", *"cd", *"de"]
    overlapping = [text for text in texts(windows(["a", "b", "c", "d"], 2, stride=1))[1:] if len(text) == 1]
    assert overlapping == [*"abcd", *"ab", *"bc", *"bc", *"cd"]
    with pytest.raises(ValueError, match="need 3 tokens, not 2"):
        windows(["a", "b"], 2)
