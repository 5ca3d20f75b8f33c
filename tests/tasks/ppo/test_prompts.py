from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.encoding import encode_prompt
from tuppence.tasks.ppo.prompts import Prompts, read_prompts
from tuppence.tasks.rows import RowFiles
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message


def written(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(data: Path, tokenizer: Tokenizer, val: Path | None = None, room: int = 64, eval_prompts: int = 9) -> Prompts:
    files = RowFiles(data, val)
    return read_prompts(files, tokenizer, most_tokens=room, val_fraction=0.2, eval_prompts=eval_prompts, seed=1)


def preferences(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"Say {number}.", "chosen": "yes", "rejected": "no"} for number in range(count)]


def test_prompts_come_from_preferences_and_from_instructions_alike(tmp_path: Path, tokenizer: Tokenizer) -> None:
    pairs = written(tmp_path / "pairs.jsonl", preferences(10))
    tasks = [{"instruction": f"Say {number}.", "output": "yes"} for number in range(10)]
    found = read(pairs, tokenizer)
    others = read(written(tmp_path / "tasks.jsonl", tasks), tokenizer)
    assert (found.train, found.val) == (others.train, others.val)
    assert (len(found.train), len(found.val)) == (8, 2)
    expected = [encode_prompt(tokenizer, [Message("user", f"Say {number}.")]) for number in range(10)]
    assert sorted(found.train + found.val) == sorted(expected)


def test_each_prompt_is_used_once_and_in_one_part_only(tmp_path: Path, tokenizer: Tokenizer) -> None:
    found = read(written(tmp_path / "pairs.jsonl", preferences(10) * 3), tokenizer)
    assert len(found.train) + len(found.val) == 10
    assert not {tuple(prompt) for prompt in found.train} & {tuple(prompt) for prompt in found.val}


def test_a_validation_file_is_left_out_of_training(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "pairs.jsonl", preferences(10))
    val = written(tmp_path / "val.jsonl", preferences(13)[7:])
    found = read(data, tokenizer, val)
    assert (len(found.train), len(found.val)) == (7, 6)
    assert "3 prompts of" in capsys.readouterr().err
    with pytest.raises(InputError, match="every prompt of"):
        read(data, tokenizer, data)


def test_a_long_prompt_loses_its_beginning_and_is_counted(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*preferences(9), {"prompt": "word " * 50, "chosen": "yes", "rejected": "no"}]
    found = read(written(tmp_path / "pairs.jsonl", rows), tokenizer, room=60)
    longest = max(found.train + found.val, key=len)
    assert len(longest) == 60
    assert tokenizer.decode(longest).endswith("### Response:\n")
    assert "1 training prompt cut" in capsys.readouterr().err or "1 held-out prompt cut" in capsys.readouterr().err


def test_an_evaluation_has_at_most_eval_prompts_prompts(tmp_path: Path, tokenizer: Tokenizer) -> None:
    found = read(written(tmp_path / "pairs.jsonl", preferences(100)), tokenizer, eval_prompts=5)
    assert (len(found.train), len(found.val)) == (80, 5)


def test_rows_of_weight_0_are_left_out_of_training_and_not_of_held_out_prompts(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    rows = [{**row, "weight": n % 2} for n, row in enumerate(preferences(10))]
    found = read(written(tmp_path / "data.jsonl", rows[:6]), tokenizer, written(tmp_path / "val.jsonl", rows[6:]))
    assert (len(found.train), len(found.val)) == (3, 4)
