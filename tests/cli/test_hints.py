"""Messages about rows, evaluation and finetuning name options, settings and commands that exist where they appear."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import tuppence
from tuppence.cli import _register_verbs, app
from tuppence.core.config import Section
from tuppence.tasks.classify import ClassifyRecipe
from tuppence.tasks.dpo import DPORecipe
from tuppence.tasks.instruct import InstructRecipe
from tuppence.tasks.ppo import PPORecipe
from tuppence.tasks.reward import RewardRecipe

SOURCES = Path(tuppence.__file__).parent
ALIGN = ("align reward", "align dpo", "align ppo")
ROWS = ("finetune classify", "finetune instruct", *ALIGN)
RECIPES: dict[str, type[Section]] = {
    "finetune classify": ClassifyRecipe,
    "finetune instruct": InstructRecipe,
    "align reward": RewardRecipe,
    "align dpo": DPORecipe,
    "align ppo": PPORecipe,
}
VERBS = {
    "data/bad_rows.py": (*ROWS, "evaluate"),
    "data/records/tables.py": (*ROWS, "evaluate"),
    "data/records/messages.py": (*ROWS[1:], "evaluate"),
    "data/records/labelled.py": ("finetune classify", "evaluate"),
    "data/records/unlabelled.py": ("classify",),
    "data/records/splits.py": ROWS,
    "data/records": (*ROWS[1:], "evaluate"),
    "evaluation/classifier.py": ("classify", "evaluate"),
    "evaluation": ("evaluate",),
    "tasks/classify.py": ("finetune classify",),
    "tasks/labelled.py": ("finetune classify",),
    "tasks/instruct.py": ("finetune instruct",),
    "tasks/finetuning.py": ROWS,
    "tasks/rows.py": ROWS,
    "tasks/pairs.py": ALIGN[:2],
    "tasks/reference.py": ("align dpo",),
    "tasks/dpo.py": ("align dpo",),
    "tasks/reward.py": ("align reward",),
    "tasks/ppo": ("align ppo",),
}
"""Which verbs can say what a file says; the first entry that a path begins with."""

_OPTION = re.compile(r"--[a-z][a-z-]+")
_SETTING = re.compile(r"--set ([a-z_]+)\.([a-z_]+)=")
_COMMAND = re.compile(r"(?<![\w`])tuppence ([a-z]+)(?: ([a-z]+))?")


def command(*words: str) -> Any:
    _register_verbs()
    found: Any = typer.main.get_command(app)
    for word in words:
        found = found.commands[word]  # KeyError: there is no such verb
    return found


def messages(path: Path) -> Iterator[str]:
    """The strings of a module without its others, f-strings with their gaps as X."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    others |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in others:
            yield node.value


def said() -> list[tuple[str, str, tuple[str, ...]]]:
    """(file, message, verbs that can say it) of every message that names something to type."""
    found = []
    for folder in ("data/records", "evaluation", "tasks"):
        for path in sorted((SOURCES / folder).rglob("*.py")):
            place = path.relative_to(SOURCES).as_posix()
            verbs = next((verbs for start, verbs in VERBS.items() if place.startswith(start)), ())
            if verbs and "lm_eval" not in place:
                found += [(place, text, verbs) for text in messages(path) if _tells(text)]
    return found


def _tells(text: str) -> bool:
    """Whether a string is a sentence that names something to type, and not an option's name alone."""
    return " " in text and ("--" in text or "tuppence " in text)


def test_there_are_hints_to_try() -> None:
    assert len(said()) > 15


@pytest.mark.parametrize(("place", "text", "verbs"), said())
def test_what_a_message_tells_people_to_type_exists(place: str, text: str, verbs: tuple[str, ...]) -> None:
    named = _COMMAND.findall(text)
    for first, second in named:
        group = command(first)
        if hasattr(group, "commands"):
            assert second in group.commands
    for verb in verbs:
        options = {option for one in command(*verb.split()).params for option in one.opts}
        elsewhere = {option for words in named for one in command(*filter(None, words)).params for option in one.opts}
        if "data get" in text:
            elsewhere |= {"--out"}
        assert set(_OPTION.findall(text)) <= options | elsewhere, verb
        for section, key in _SETTING.findall(text):
            kind = RECIPES[verb].model_fields[section].default
            assert key in type(kind).model_fields | dict(type(kind).short_names)


def test_a_bad_row_of_a_table_that_classify_reads_is_not_skipped(tmp_path: Path) -> None:
    from tuppence.core.errors import InputError
    from tuppence.data.records.unlabelled import iter_unlabelled

    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\nnot json\n')
    with pytest.raises(InputError) as caught:
        list(iter_unlabelled(str(tmp_path / "rows.jsonl")))
    assert "--skip-bad-rows" not in caught.value.hint  # classify has no such option: every text is answered
