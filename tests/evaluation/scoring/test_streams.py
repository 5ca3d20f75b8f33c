from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuppence.core.errors import InputError
from tuppence.evaluation.scoring.streams import bytes_of_tokens, open_stream
from tuppence.tokenizer import train_tokenizer


def ids(data: object, tokenizer: Any) -> list[int]:
    return np.concatenate(list(open_stream(str(data), tokenizer).pieces)).tolist()


def test_the_stream_has_end_of_text_before_each_document(world: Any) -> None:
    expected = []
    for document in world.documents:
        expected += [world.tokenizer.end_of_text, *world.tokenizer.encode(document)]
    assert ids(world.text, world.tokenizer) == expected


def test_prepared_data_gives_the_same_stream_as_its_text(world: Any) -> None:
    of_text, of_shards = ids(world.text, world.tokenizer), ids(world.data, world.tokenizer)
    assert of_shards == [*of_text, world.tokenizer.end_of_text], "shards end with the end of their last document"


def test_every_byte_of_the_text_is_a_byte_of_a_token(world: Any) -> None:
    counted = bytes_of_tokens(world.tokenizer)[ids(world.text, world.tokenizer)].sum()
    assert counted == sum(len(document.encode()) for document in world.documents)
    assert open_stream(str(world.data), world.tokenizer).total_bytes == counted


def test_special_tokens_have_no_bytes(world: Any) -> None:
    counts = bytes_of_tokens(world.tokenizer)
    assert counts.shape == (world.tokenizer.vocab_size,)
    assert np.flatnonzero(counts == 0).tolist() == [world.tokenizer.end_of_text]


def test_shards_of_another_tokenizer_are_refused(world: Any) -> None:
    other = train_tokenizer(["something else entirely, something else"], 270)
    with pytest.raises(InputError, match="another tokenizer"):
        open_stream(str(world.data), other)


def test_a_file_that_is_not_there_is_refused(world: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.txt"):
        open_stream(str(tmp_path / "absent.txt"), world.tokenizer)


def test_the_size_of_a_packed_file_is_unknown(world: Any, tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "val.txt.gz"
    packed.write_bytes(gzip.compress(world.text.read_bytes()))
    assert open_stream(str(packed), world.tokenizer).total_bytes is None
    assert open_stream(str(world.text), world.tokenizer).total_bytes == world.text.stat().st_size
    assert ids(packed, world.tokenizer) == ids(world.text, world.tokenizer)


@pytest.mark.parametrize("row", ['{"body": "one"}', '{"text": 5}', "{"])
def test_a_row_that_cannot_be_scored_gets_a_hint_that_an_evaluation_can_follow(
    row: str, world: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "one"}}\n{row}\n')
    with pytest.raises(InputError, match="line 2: ") as caught:
        ids(tmp_path / "a.jsonl", world.tokenizer)
    assert "--" not in caught.value.hint
    assert "fix the file" in caught.value.hint
