"""The part of a page in which a model runs: the packed models, the scripts, and the hash that admits only them.

A template includes `live.html`, and passes the `Live` as `live`. Used by `page` and by the reports.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from markupsafe import Markup

from tuppence.core.json_lines import read_json_lines_tolerantly
from tuppence.core.run import Run
from tuppence.figures.page.packing import as_script_json, pack
from tuppence.model.loaded import ModelInfo
from tuppence.model.weights import load_model
from tuppence.storage import location_of
from tuppence.tasks.answers import ANSWER_MARK

SCRIPTS = ("tokenizer.js", "gpt.js", "thread.js", "panel.js", "page.js")
_LONGEST_PROMPT = 300


@dataclass(frozen=True)
class Live:
    """What `live.html` shows.

    Attributes:
        models: JSON, safe inside a script element.
        script: the JavaScript.
        script_source: its hash, for the page's Content-Security-Policy: no other script runs.
    """

    models: Markup
    script: Markup
    script_source: str


def live(models: Sequence[ModelInfo], names: Sequence[str] = ()) -> Live:
    """Packs language models, one or two, for a page.

    Args:
        names: of the models for people; by default those of their runs.

    Raises:
        InputError: the weights cannot be read, or a tokenizer cannot be expressed in JavaScript.
    """
    packed = []
    for info, name in zip(models, names or map(name_of, models), strict=True):
        packed.append({"name": name, **pack(load_model(info), info.tokenizer)})
    script = "\n" + javascript()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    content = as_script_json({"prompt": _first_prompt(models), "models": packed})
    return Live(Markup(content), Markup(script), f"'sha256-{digest}'")


@cache
def javascript() -> str:
    """The scripts of the page, in one strict scope of their own."""
    folder = resources.files("tuppence.figures.page") / "javascript"
    parts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n\n' + "\n\n".join(parts) + "})();\n"


def name_of(info: ModelInfo) -> str:
    """The name of a model for people: that of its run."""
    folder = Run.of(location_of(info.folder)).path
    return Path(folder).resolve().name


def _first_prompt(models: Sequence[ModelInfo]) -> str:
    """A prompt of the last model's samples, or one that suits any story."""
    for info in reversed(models):
        rows = read_json_lines_tolerantly(Run.of(info.folder).samples_file, [])
        prompts = [row["prompt"] for row in rows if isinstance(row.get("prompt"), str) and row["prompt"].strip()]
        if prompts and len(prompts[-1]) <= _LONGEST_PROMPT:
            return str(prompts[-1]).removesuffix(ANSWER_MARK)
    return "Once upon a time"
