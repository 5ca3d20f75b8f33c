from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuppence.aws.size import parameters_of
from tuppence.core.errors import InputError
from tuppence.model.config import PRESETS
from tuppence.model.gpt import GPT


def test_a_recipe_with_changes_is_counted_as_torch_counts_it(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"vocab_size": 300}))
    values = {"data": str(tmp_path), "config": "tiny", "set_": ["model.n_layers=2", "train.learning_rate=1e-3"]}
    sizes = PRESETS["tiny"].model_copy(update={"n_layers": 2, "vocab_size": 300})
    assert parameters_of(values) == sum(parameter.numel() for parameter in GPT(sizes).parameters())


def test_sizes_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"vocab_size": 300}))
    with pytest.raises(InputError, match="not a multiple of n_heads"):
        parameters_of({"data": str(tmp_path), "set_": ["model.d_model=31"]})


def test_the_vocabulary_of_data_in_s3_is_read_there(objects: dict[str, bytes]) -> None:
    objects["s3://b/DATA/index.json"] = b'{"vocab_size": 300}'
    sizes = PRESETS["tiny"].model_copy(update={"vocab_size": 300})
    assert parameters_of({"data": "s3://b/DATA"}) == sizes.parameter_count()


def test_a_base_is_counted_from_its_config(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    sizes = {"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024, "vocab_size": 50257}
    (tmp_path / "model" / "config.json").write_text(json.dumps(sizes))
    assert parameters_of({"base": str(tmp_path)}) == 124_439_808


@pytest.mark.parametrize(
    "values", [{"base": "s3://b/run"}, {"base": "nothing"}, {"data": "nothing"}, {"config": "no-such"}]
)
def test_what_cannot_be_read_here_is_unknown(values: dict[str, object]) -> None:
    assert parameters_of(values) is None
