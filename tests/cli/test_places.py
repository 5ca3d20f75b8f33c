"""Every parameter that names a place has a kind, and places that cannot be used are refused before the verb begins."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from tests.cli.conftest import Call, assert_refused
from tests.memory_store import Memory

from tuppence.cli.places import Kind, Verb, places_of, verbs

NOT_A_PLACE = {
    *("prompt", "stop", "set_", "seed", "texts", "text", "text_key", "text_column", "label_column", "tasks", "lm_eval"),
    *("judge_url", "judge_model", "judge_key_env", "device", "precision", "track", "train", "special_token", "pattern"),
    *("end_of_text", "name", "what", "skip", "job", "model", "tokens", "on", "region", "to", "instances", "email"),
    *("line", "instance", "fallback", "bucket", "role", "keep", "include", "part"),
}
"""The parameters of text that name no place. A new one belongs here, or gets a kind."""

EVERY = [(words, verb, name) for words, verb in verbs() for name in verb.places]


@pytest.mark.parametrize(("words", "verb"), [*verbs()], ids=[words for words, _ in verbs()])
def test_every_parameter_of_text_has_a_kind_or_names_no_place(words: str, verb: Verb) -> None:
    hints = {name: str(hint) for name, hint in get_type_hints(verb.callback).items() if name != "return"}
    assert not [name for name, hint in hints.items() if "Path" in hint]
    texts = {name for name, hint in hints.items() if "str" in hint.replace("<class 'str'>", "str")}
    assert texts - NOT_A_PLACE == set(places_of(words))
    assert {parameter.name for parameter in verb.params} >= set(places_of(words))


def test_the_table_tells_inputs_from_outputs() -> None:
    assert places_of("finetune classify") == {
        **dict.fromkeys(("data", "val", "test", "config"), Kind.INPUT_FILE),
        "base": Kind.RUN,
        "out": Kind.OUTPUT_RUN,
        "resume": Kind.INPUT_FOLDER,
    }
    outputs = {name for _, verb in verbs() for name, kind in verb.places.items() if kind.is_output}
    assert outputs == {"out"}


def line_with(verb: Verb, name: str, place: str) -> Iterator[str]:
    """The shortest line of a verb in which one parameter is `place`; the others need not exist. Options come first."""
    for parameter in sorted(verb.params, key=lambda one: one.param_type_name == "argument"):
        wanted = parameter.name == name
        if not (wanted or parameter.required):
            continue
        value = place if wanted else "300" if parameter.name == "vocab_size" else "absent"
        if wanted and verb.places[name] is Kind.NAMED_INPUT_FILE:
            value = f"lambada={place}"
        yield from [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]


@pytest.mark.parametrize(("words", "verb", "name"), EVERY, ids=[f"{words} {name}" for words, _, name in EVERY])
def test_an_unknown_scheme_is_refused_in_one_line_wherever_a_place_is_taken(
    words: str, verb: Verb, name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(*words.split(), *line_with(verb, name, "gs://bucket/deep/key"))
    refusal = "results cannot be written to" if verb.places[name].is_output else "cannot read from"
    assert_refused(answer, f"gs://bucket/deep/key: {refusal} gs://")
    assert list(tmp_path.iterdir()) == []


OUTPUTS = [(words, verb, name) for words, verb, name in EVERY if verb.places[name].is_output]


@pytest.mark.parametrize(("words", "verb", "name"), OUTPUTS, ids=[words for words, _, _ in OUTPUTS])
def test_a_remote_output_is_refused_before_anything_is_read(
    words: str, verb: Verb, name: str, call: Call, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(*words.split(), *line_with(verb, name, "mem://bucket/out"))
    assert_refused(answer, "mem://bucket/out: results cannot be written to mem://")
    assert list(tmp_path.iterdir()) == []
    assert memory.objects == {}


PLAIN = [one for one in EVERY if one[1].places[one[2]] is not Kind.NAMED_INPUT_FILE]


@pytest.mark.parametrize(("words", "verb", "name"), PLAIN, ids=[f"{words} {name}" for words, _, name in PLAIN])
def test_an_empty_location_is_refused_and_not_the_working_folder(
    words: str, verb: Verb, name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(call(*words.split(), *line_with(verb, name, "")), " is empty")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "verb", "name"), OUTPUTS, ids=[words for words, _, _ in OUTPUTS])
def test_an_output_that_cannot_be_created_is_refused_before_anything_is_read(
    words: str, verb: Verb, name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    answer = call(*words.split(), *line_with(verb, name, "file/inside"))
    assert_refused(answer, "cannot write file/inside: Not a directory")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_verb_s_own_signature_stays_that_of_its_parameters() -> None:
    callback: Any = dict(verbs())["align dpo"].callback
    assert {"base", "data", "out", "lora", "full", "budget"} <= set(inspect.signature(callback).parameters)
