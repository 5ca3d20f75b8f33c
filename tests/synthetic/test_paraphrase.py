from __future__ import annotations

import pytest

from tuppence.synthetic.paraphrase import paraphrase
from tuppence.synthetic.tables import table


def test_every_entry_of_the_table_is_found_and_begins_with_the_text_itself() -> None:
    for line in table("paraphrase"):
        (found,) = paraphrase(line.split("|")[0])
        assert found == tuple(line.split("|"))


@pytest.mark.parametrize("text", ["She was unnearly there.", "nearly's", "There was nothing of the kind."])
def test_fixed_pieces_and_first_alternatives_are_the_text_again(text: str) -> None:
    assert "".join(piece if isinstance(piece, str) else piece[0] for piece in paraphrase(text)) == text


def test_parts_of_words_are_not_replaced() -> None:
    assert paraphrase("unnearly nearly's") == ["unnearly nearly's"]
