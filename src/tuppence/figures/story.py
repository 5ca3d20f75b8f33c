"""The whole life of a model on one page: ROOT/report.html, told from what `tuppence quickstart` left below ROOT.

Stage by stage: what was done (the command), a picture, the number before and after, what it wrote before and after;
at the end, what everything took. Each run's own report is linked. Like every report of ours it asks no other host for
anything. Reads ROOT/story.json and the runs; a stage that was skipped has no section. Called by the quickstart and by
`tuppence report ROOT`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tuppence import __version__
from tuppence.core import files
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.figures import milestones, page
from tuppence.figures import story_sections as sections
from tuppence.figures.record import finite, read_run
from tuppence.figures.report import duration
from tuppence.figures.story_pieces import NAMES, picture
from tuppence.figures.story_record import Story, number_at, read_left_out, read_story
from tuppence.figures.style import dollars_label


def write_story(root: str | Path) -> Path:
    """Writes ROOT/report.html and returns its path.

    Raises:
        InputError: no quickstart was begun there.
        MissingExtraError: matplotlib is not installed.
    """
    root = Path(root)
    stages = read_story(root)
    if not stages:
        raise InputError(f"{root} holds no quickstart that has done anything", "name the --out of a quickstart")
    runs = {name: read_run(root / name) for name in stages if Run(root / name).exists()}
    page_file = Run(root).report_file
    files.write_text(page_file, render(Story(root, stages, runs)))
    return page_file


def render(story: Story) -> str:
    """The page as HTML; everything that was made up, read or written by a model is escaped."""
    body = [
        _header(story),
        page.tiles(_headline(story)),
        page.section("Stories to learn from", *sections.data(story)),
        page.section("Pretraining: from noise to stories", *sections.pretraining(story)),
        page.section("Spam: a model that sorts", *sections.spam(story)),
        page.section("Instructions, with LoRA: a model that answers", *sections.instructions(story)),
        page.section("Preferences, with DPO: a model that answers as people like it", *sections.preferences(story)),
        page.section("Three models, the same questions", *sections.evaluation(story)),
        page.section("Receipt", *_receipt(story)),
        f"<footer><p>written by tuppence {page.text(__version__)}</p></footer>",
    ]
    return page.page("The life of a small model · tuppence", "\n".join(piece for piece in body if piece))


def _header(story: Story) -> str:
    size = story.runs["pretrain"].number("parameters") if "pretrain" in story.runs else None
    parts = [f"{size / 1e6:.1f}M parameters" if size else "", f"made in {duration(story.seconds)}"]
    line = " · ".join(part for part in parts if part)
    missing = [f"{name}: {why}" for name, why in read_left_out(story.root).items() if name not in story.stages]
    notes = "".join(f"<p>{page.text(one)}</p>" for one in missing)
    return f'<header><h1>The life of a small model</h1><p class="muted">{page.text(line)}</p>{notes}</header>'


def _headline(story: Story) -> Iterator[tuple[str, str]]:
    scores = story.scores
    if (perplexity := number_at(scores, "pretrain", "perplexity", "perplexity")) is not None:
        yield "perplexity of held-out stories", f"{perplexity:.2f}"
    if (classes := story.classes) and (accuracy := finite(classes.get("accuracy"))) is not None:
        yield "spam test accuracy", f"{accuracy:.1%}"
    for run in ("pretrain", "instruct"):
        if (share := number_at(scores, run, "exact_match", "accuracy")) is not None:
            yield f"tasks exactly right, {NAMES[run]}", f"{share:.1%}"
    if (order := story.last("dpo", "val_rewards/accuracies")) is not None:
        yield "preferences in the right order", f"{order:.1%}"
    yield "wall time", duration(story.seconds)
    if dollars := sum(finite(stage.get("dollars")) or 0.0 for stage in story.stages.values()):
        yield "dollars", dollars_label(dollars)


def _receipt(story: Story) -> Iterator[str]:
    told = {name: stage for name, stage in story.stages.items() if name != "report"}
    seconds = {name: float(stage["seconds"]) for name, stage in told.items()}
    dollars = {name: finite(stage.get("dollars")) or 0.0 for name, stage in told.items()}
    yield page.card(
        picture(milestones.seconds_bar(seconds), "time", "Wall time by stage"),
        page.table(
            ("stage", "wall time", "dollars"),
            [
                *((name, duration(seconds[name]), dollars_label(dollars[name])) for name in told),
                ("together", duration(sum(seconds.values())), dollars_label(sum(dollars.values()))),
            ],
        ),
        '<p class="muted">Killed attempts are counted; writing the reports is not.</p>',
    )
