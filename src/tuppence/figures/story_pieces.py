"""The small parts that the sections of a story are put together from. Nothing here knows what a section is about."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuppence.core.run import Run
from tuppence.figures import page
from tuppence.figures.record import finite
from tuppence.figures.report import duration
from tuppence.figures.story_record import Story
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"pretrain": "base", "instruct": "instruction model", "dpo": "DPO model"}
"""What the language models are called on the page, by their run folders."""


def done(story: Story, *stages: str) -> str:
    """The commands of stages, and how long they took."""
    present = [story.stages[name] for name in stages if name in story.stages]
    commands = "\n".join(str(stage.get("command") or "") for stage in present)
    seconds = sum(float(stage["seconds"]) for stage in present)
    return page.command(commands) + f'<p class="muted">{page.text(duration(seconds))}</p>'


def link(story: Story, run: str) -> str:
    report = Run(story.root / run).report_file
    if not report.is_file():
        return ""
    return f"<p>{page.link(f'{run}/{report.name}', 'Everything about this run')}</p>"


def answers(rows: Any, reference: str = "right") -> str:
    """Prompts, and what each model answered; a right answer is marked."""
    if not isinstance(rows, Sequence) or not rows:
        return ""
    models: list[str] = []
    shown = []
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # a file that somebody edited
        models = list(rows[0]["answers"])
        for row in rows:
            right = row.get("right") or {}
            answers = [f"✓ {row['answers'][name]}" if right.get(name) else row["answers"][name] for name in models]
            shown.append((row["prompt"], *(short(one) for one in answers), row["reference"]))
    return page.table(("asked", *(NAMES.get(name, name) for name in models), reference), shown)


def short(text: Any, longest: int = 160) -> str:
    shown = " ".join(str(text).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def with_names(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {**found, "right": {NAMES.get(name, name): share for name, share in found["right"].items()}}
        for kind, found in kinds.items()
    }


def safely(make: Any, *values: Any) -> Any:
    """What `make` makes, or None of numbers in a file that somebody edited."""
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
        return make(*values)
    return None


def picture(figure: Figure | None, name: str, label: str) -> str:
    return to_svg(figure, name, label) if figure is not None else ""


def share(value: Any) -> str | None:
    number = finite(value)
    return None if number is None else f"{number:.1%}"


def count(value: Any) -> str | None:
    number = finite(value)
    return None if number is None else f"{number:,.0f}"
