from __future__ import annotations

import pytest

from tuppence.core.config import load_config
from tuppence.core.errors import InputError
from tuppence.tasks.ppo.config import PPORecipe


def test_setting_one_key_keeps_the_other_defaults() -> None:
    before = PPORecipe().model_dump()
    found = load_config(PPORecipe, overrides=["align.target_kl=null", "train.batch_size=4"]).model_dump()
    assert (found["align"]["target_kl"], found["train"]["batch_size"]) == (None, 4)  # None: β stays
    before["align"]["target_kl"], before["train"]["batch_size"] = None, 4
    assert found == before


@pytest.mark.parametrize(
    "setting",
    [
        "rollout_prompts=0",
        "max_new_tokens=0",
        "temperature=0",
        "kl_coefficient=-0.1",
        "target_kl=0",
        "cliprange=1",
        "gamma=1.1",
        "gae_lambda=-0.1",
        "val_fraction=1",
        "kl_coeficient=0.1",
    ],
)
def test_an_invalid_setting_is_refused_with_its_name(setting: str) -> None:
    with pytest.raises(InputError, match=rf"align\.{setting.partition('=')[0]}"):
        load_config(PPORecipe, overrides=[f"align.{setting}"])
