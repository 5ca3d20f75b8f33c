"""A flag means the same in every verb that has it."""

from __future__ import annotations

import pytest

from tuppence.cli import flags
from tuppence.cli.places import verbs

SHARED = {
    "device": flags.Device,
    "rate": flags.HourlyRate,
    "skip_bad_rows": flags.SkipBadRows,
    "text_key": flags.TextKey,
    "json": flags.Json,
}


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_flag_has_the_same_help_in_every_verb(name: str) -> None:
    found = {words: getattr(one, "help", None) for words, verb in verbs() for one in verb.params if one.name == name}
    if name == "json":
        del found["classify"]  # prints a list, and says so
    (option,) = SHARED[name].__metadata__
    assert len(found) > 1
    assert set(found.values()) == {option.help}


def test_every_training_verb_has_the_flags_of_a_run() -> None:
    by_verb = {words: {one.name for one in verb.params} for words, verb in verbs()}
    training = {words for words, names in by_verb.items() if "max_steps" in names} - {"quickstart"}
    assert training == {"pretrain", *(f"finetune {name}" for name in ("classify", "instruct"))} | {
        f"align {name}" for name in ("reward", "dpo", "ppo")
    }
    wanted = {"out", "config", "set_", "max_minutes", "budget", "rate", "resume", "track", "json"}
    assert all(by_verb[words] >= wanted for words in training)
