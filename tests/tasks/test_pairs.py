from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tuppence.core.config import load_config
from tuppence.core.errors import InputError
from tuppence.tasks.pairs import Pairs, read_pairs
from tuppence.tasks.reward import Comparisons, RewardRecipe
from tuppence.tasks.rows import RowFiles
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.training.config import TrainConfig

ROWS = [{"prompt": f"Name {n} fruits.", "chosen": "plum " * n, "rejected": "No."} for n in range(1, 11)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["### Instruction: Response: Name fruits. plum No."], 280).with_chat_template()


def read(tokenizer: Tokenizer, folder: Path, rows: list[dict[str, str]], context: int = 128, end: bool = True) -> Pairs:
    path = folder / "pairs.json"
    path.write_text(json.dumps(rows))
    files = RowFiles(path)
    return read_pairs(files, tokenizer, context_length=context, val_fraction=0.2, seed=0, with_end=end)


def parts(pairs: Pairs, tokenizer: Tokenizer) -> list[list[str]]:
    rows = [*pairs.train, *pairs.val]
    return [[tokenizer.decode(row.ids[row.branches == branch].tolist()) for branch in range(3)] for row in rows]


def test_a_pair_is_its_prompt_its_chosen_and_its_rejected_answer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = read(tokenizer, tmp_path, ROWS)
    expected = [
        [f"### Instruction:\n{row['prompt']}\n\n### Response:\n", row["chosen"].strip() + "<|endoftext|>",
         "No.<|endoftext|>"]
        for row in ROWS
    ]  # fmt: skip
    assert sorted(parts(pairs, tokenizer)) == sorted(expected)
    assert (len(pairs.train), len(pairs.val), len(pairs.held_out)) == (8, 2, 2)
    assert [row.number for row in (*pairs.train, *pairs.val)] == list(range(10))
    assert not any(
        "endoftext" in text for row in parts(read(tokenizer, tmp_path, ROWS, end=False), tokenizer) for text in row
    )


def test_batches_have_the_numbers_of_their_pairs_and_count_their_tokens(tokenizer: Tokenizer, tmp_path: Path) -> None:
    pairs = read(tokenizer, tmp_path, ROWS)
    objective = Comparisons(pairs.train, pairs.val, TrainConfig(batch_size=3))
    tokens, branches, numbers = objective.collate(pairs.train[:3])
    assert numbers.tolist() == [0, 1, 2]
    for row, encoded in enumerate(pairs.train[:3]):
        real = branches[row] >= 0
        assert np.array_equal(tokens[row][real].numpy(), encoded.ids)
    assert objective.tokens((tokens, branches, numbers)) == sum(len(row.ids) for row in pairs.train[:3])


def test_answers_that_differ_only_after_the_context_are_left_out_and_counted(
    tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alike = {"prompt": "Name fruits.", "chosen": "plum " * 200 + "plum", "rejected": "plum " * 200 + "No."}
    pairs = read(tokenizer, tmp_path, [*ROWS, alike])
    assert len(pairs) == 10
    said = capsys.readouterr().err
    assert "left out 1 pair" in said
    assert "cut to the context of 128 tokens: 0 prompts at the left, the answers of 1 pair at the right" in said


def test_a_file_without_differing_answers_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    alike = [
        {"prompt": f"Name {n} fruits.", "chosen": "plum " * 200 + "plum", "rejected": "plum " * 200} for n in range(9)
    ]
    with pytest.raises(InputError, match="no pair is left"):
        read(tokenizer, tmp_path, alike)


def test_the_default_recipes_leave_room_for_single_keys() -> None:
    config = load_config(RewardRecipe, overrides=["train.batch_size=3"])
    assert (config.train.batch_size, config.train.learning_rate, config.align.epochs) == (3, 5e-4, 2.0)
