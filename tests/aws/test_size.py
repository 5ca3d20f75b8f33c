from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuppence.aws.size import parameters_of
from tuppence.model.config import PRESETS
from tuppence.model.gpt import GPT


def test_a_recipe_with_changes_is_counted_as_torch_counts_it(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"vocab_size": 300}))
    values = {"data": str(tmp_path), "config": "tiny", "set_": ["model.n_layers=2", "train.learning_rate=1e-3"]}
    sizes = PRESETS["tiny"].model_copy(update={"n_layers": 2, "vocab_size": 300})
    assert parameters_of(values) == sum(parameter.numel() for parameter in GPT(sizes).parameters())


def test_a_base_is_counted_from_its_config(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    sizes = {"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024, "vocab_size": 50257}
    (tmp_path / "model" / "config.json").write_text(json.dumps(sizes))
    assert parameters_of({"base": str(tmp_path)}) == 124_439_808


@pytest.mark.parametrize(
    "values", [{"base": "s3://b/run"}, {"base": "nothing"}, {"set_": ["model.n_layers=many"]}, {"config": "no-such"}]
)
def test_what_cannot_be_read_here_is_unknown(values: dict[str, object]) -> None:
    assert parameters_of(values) is None
