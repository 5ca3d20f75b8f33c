"""The whole life of a model on one page: ROOT/report.html, told from what `tuppence quickstart` left below ROOT.

Stage by stage: what was done (the command), a picture, the number before and after, what it wrote before and after;
at the end, what everything took. Each run's own report is linked. Like every report of ours it asks no other host for
anything. Reads ROOT/story.json and the runs; a stage that was skipped has no section. Called by the quickstart and by
`tuppence report ROOT`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuppence import __version__
from tuppence.core import files
from tuppence.core.errors import InputError
from tuppence.figures import classification, curves, milestones, page
from tuppence.figures.record import finite, read_run
from tuppence.figures.report import REPORT_NAME, duration
from tuppence.figures.story_record import Story, number_at, read_story
from tuppence.figures.style import SMALL, dollars_label
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"pretrain": "base", "instruct": "instruction model", "dpo": "DPO model"}
"""What the language models are called on the page, by their run folders."""


def write_story(root: Path) -> Path:
    """Writes ROOT/report.html and returns its path.

    Raises:
        InputError: no quickstart was begun there.
        MissingExtraError: matplotlib is not installed.
    """
    stages = read_story(root)
    if not stages:
        raise InputError(f"{root} holds no quickstart that has done anything", "name the --out of a quickstart")
    runs = {name: read_run(root / name) for name in stages if (root / name / "run.yaml").is_file()}
    files.write_text(root / REPORT_NAME, render(Story(root, stages, runs)))
    return root / REPORT_NAME


def render(story: Story) -> str:
    """The page as HTML; everything that was made up, read or written by a model is escaped."""
    body = [
        _header(story),
        page.tiles(_headline(story)),
        page.section("Stories to learn from", *_data(story)),
        page.section("Pretraining: from noise to stories", *_pretraining(story)),
        page.section("Spam: a model that sorts", *_spam(story)),
        page.section("Instructions, with LoRA: a model that answers", *_instructions(story)),
        page.section("Preferences, with DPO: a model that answers as people like it", *_preferences(story)),
        page.section("Three models, the same questions", *_evaluation(story)),
        page.section("Receipt", *_receipt(story)),
        f"<footer><p>written by tuppence {page.text(__version__)}</p></footer>",
    ]
    return page.page("The life of a small model · tuppence", "\n".join(piece for piece in body if piece))


# ---- the stages --------------------------------------------------------------------------------------------------


def _header(story: Story) -> str:
    size = story.runs["pretrain"].number("parameters") if "pretrain" in story.runs else None
    parts = [f"{size / 1e6:.1f}M parameters" if size else "", f"made in {duration(story.seconds)}"]
    line = " · ".join(part for part in parts if part)
    return f'<header><h1>The life of a small model</h1><p class="muted">{page.text(line)}</p></header>'


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


def _data(story: Story) -> Iterator[str]:
    stories, tokenizer, tokens = (story.numbers(name) for name in ("stories", "tokenizer", "data"))
    if not stories:
        return
    yield _done(story, "stories", "tokenizer", "data")
    facts = {
        "stories": _count(stories.get("stories")),
        "bytes": _count(stories.get("bytes")),
        "vocabulary": _count(tokenizer.get("vocab_size")),
        "tokens to train on": _count(tokens.get("train")),
        "tokens held out": _count(tokens.get("val")),
        "how text is cut": " | ".join(map(str, tokenizer.get("pieces") or [])),
    }
    yield page.card(page.facts(facts))
    yield page.details("The first of the stories", page.sample("", str(stories.get("sample") or "")))


def _pretraining(story: Story) -> Iterator[str]:
    run = story.runs.get("pretrain")
    if run is None or not (numbers := story.numbers("pretrain")):
        return
    yield _done(story, "pretrain")
    wide = _picture(curves.loss_curve(run.metrics), "pretrain-loss", "Loss of pretraining by step")
    narrow = _picture(curves.loss_curve(run.metrics, (SMALL[0], 3.2)), "pretrain-narrow", "Loss of pretraining by step")
    yield page.card(page.responsive(wide, narrow))
    vocabulary = run.number("config", "model", "vocab_size") or finite(story.numbers("tokenizer").get("vocab_size"))
    best = run.number("result", "best_val_loss")
    if best is not None:
        start = math.log(vocabulary) if vocabulary else None
        before = (f"{start:.2f}", f"{vocabulary:,.0f}") if start and vocabulary else ("", "")
        after = (f"{best:.3f}", f"{math.exp(min(best, 700)):.2f}")
        rows = zip(("validation loss, nats per token", "perplexity"), before, after, strict=True)
        yield page.card(page.table(("", "before: every token as likely", "after"), rows))
    early = next((row for row in run.samples if row.get("text")), None)
    prompt = str(numbers.get("prompt") or "")
    if early is not None and len(run.samples) > 1:
        yield f"<h3>at step {page.text(early.get('step'))}</h3>"
        yield page.sample(str(early.get("prompt") or ""), str(early["text"]).removeprefix(str(early.get("prompt"))))
    yield "<h3>at the end</h3>"
    yield page.sample(prompt, str(numbers.get("sample") or "").removeprefix(prompt))
    yield _link(story, "pretrain")


def _spam(story: Story) -> Iterator[str]:
    run, classes = story.runs.get("spam"), story.classes
    if run is None or not classes:
        return
    yield _done(story, "spam")
    yield f"<p>{page.text(classes.get('verdict') or '')}</p>"
    yield page.pair(
        page.card(_picture(curves.loss_curve(run.metrics, SMALL, "nats per text"), "spam-loss", "Loss by step")),
        page.card(_picture(_safely(classification.against_baselines, classes), "spam-bars", "Model and baselines")),
        page.card(_picture(_safely(classification.confusion_matrix, classes), "spam-confusion", "Confusion matrix")),
    )
    baselines = classes.get("baselines")
    if isinstance(baselines, Mapping):
        before = {"language model, after": classes, **baselines}
        yield page.card(
            page.table(
                ("", "accuracy", f"F1, {classes.get('f1_of')}"),
                [(name, _share(one.get("accuracy")), _share(one.get("f1"))) for name, one in before.items()],
            ),
            title=f"On {classes.get('rows')} messages that were held out",
        )
    mistakes = [one for one in classes.get("mistakes") or [] if isinstance(one, Mapping)][:3]
    rows = [
        (one.get("text"), one.get("label"), one.get("predicted"), _share(one.get("probability"))) for one in mistakes
    ]
    yield page.card(
        page.table(("message", "is", "was taken for", "probability"), rows), title="Where it was surest, and wrong"
    )
    yield _link(story, "spam")


def _instructions(story: Story) -> Iterator[str]:
    run, numbers = story.runs.get("instruct"), story.numbers("evaluate")
    if run is None or "instruct" not in story.stages:
        return
    yield _done(story, "instruct")
    trained, size = run.number("trained_parameters"), run.number("parameters")
    if trained and size:
        yield f"<p>{trained:,.0f} of {size:,.0f} parameters were trained: the adapter. The base stayed as it was.</p>"
    exact = {
        NAMES.get(name, name): tasks["exact_match"]
        for name, tasks in story.scores.items()
        if isinstance(tasks, Mapping) and isinstance(tasks.get("exact_match"), Mapping)
    }
    yield page.pair(
        page.card(_picture(curves.loss_curve(run.metrics, SMALL), "instruct-loss", "Loss by step")),
        page.card(_picture(_safely(milestones.exact_match_bars, exact), "exact", "Exactly right answers by model")),
    )
    kinds = numbers.get("kinds")
    if isinstance(kinds, Mapping):
        named = _safely(_with_names, kinds) or {}
        wide = _picture(_safely(milestones.right_by_kind, named), "kinds", "Right answers by kind of task")
        narrow = _picture(
            _safely(milestones.right_by_kind, named, 4.2), "kinds-narrow", "Right answers by kind of task"
        )
        yield page.card(page.responsive(wide, narrow), title="Right answers by kind of task (and how many were asked)")
    yield page.card(_answers(numbers.get("answers")), title="The first held-out task of eight kinds, answered by each")
    yield _link(story, "instruct")


def _preferences(story: Story) -> Iterator[str]:
    run = story.runs.get("dpo")
    if run is None or "dpo" not in story.stages:
        return
    yield _done(story, "dpo")
    yield page.pair(
        page.card(_picture(milestones.preference_curve(run.metrics), "dpo-order", "Held-out pairs in order by step")),
        page.card(_picture(milestones.margin_curve(run.metrics), "dpo-margin", "Reward margin by step")),
    )
    order, margin = (story.last("dpo", key) for key in ("val_rewards/accuracies", "val_rewards/margins"))
    loss = story.last("dpo", "val_loss")
    rows = [
        ("pairs in the right order", "a coin's 50 %", _share(order)),
        ("reward margin, nats", "0 by definition", None if margin is None else f"{margin:.3f}"),
        ("loss", f"{math.log(2):.3f}, which is ln 2", None if loss is None else f"{loss:.3f}"),
    ]
    yield page.card(page.table(("on held-out pairs", "before", "after"), rows))
    asked = story.numbers("evaluate").get("preferences")
    yield page.card(_answers(asked, "what people liked better"), title="The first held-out requests, answered by each")
    yield _link(story, "dpo")


def _evaluation(story: Story) -> Iterator[str]:
    scores = story.scores
    if not scores:
        return
    yield _done(story, "evaluate")
    rows = []
    for label, task, key, show in (
        ("perplexity of held-out stories", "perplexity", "perplexity", "{:.2f}"),
        ("bits per byte", "perplexity", "bits_per_byte", "{:.3f}"),
        ("tasks exactly right", "exact_match", "accuracy", "{:.1%}"),
        ("answers ended by the model", "exact_match", "ended", "{:.1%}"),
    ):
        values = [number_at(scores, run, task, key) for run in scores]
        if any(value is not None for value in values):
            rows.append((label, *("" if value is None else show.format(value) for value in values)))
    yield page.card(page.table(("", *(NAMES.get(run, run) for run in scores)), rows))
    yield page.card(_differences(story), title="Against the base, on the same rows")


def _differences(story: Story) -> str:
    comparison = story.numbers("evaluate").get("comparison")
    rows = []
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # a file that somebody edited
        for metric, others in comparison["tasks"]["exact_match"].items():  # type: ignore[index]
            for run, found in others.items():
                if found:
                    ends = f"{found['low']:+.1%} to {found['high']:+.1%}"
                    label = f"{metric.replace('_', ' ')}, {NAMES.get(run, run)}"
                    rows.append((label, f"{found['difference']:+.1%}", ends, f"{found['units']:,} {found['unit']}"))
    return page.table(("", "difference", "95 % interval", "over"), rows)


def _receipt(story: Story) -> Iterator[str]:
    told = {name: stage for name, stage in story.stages.items() if name != "report"}
    seconds = {name: float(stage["seconds"]) for name, stage in told.items()}
    dollars = {name: finite(stage.get("dollars")) or 0.0 for name, stage in told.items()}
    yield page.card(
        _picture(milestones.seconds_bar(seconds), "time", "Wall time by stage"),
        page.table(
            ("stage", "wall time", "dollars"),
            [
                *((name, duration(seconds[name]), dollars_label(dollars[name])) for name in told),
                ("together", duration(sum(seconds.values())), dollars_label(sum(dollars.values()))),
            ],
        ),
        '<p class="muted">Killed attempts are counted; writing the reports is not.</p>',
    )


# ---- pieces ------------------------------------------------------------------------------------------------------


def _done(story: Story, *stages: str) -> str:
    """The commands of stages, and how long they took."""
    present = [story.stages[name] for name in stages if name in story.stages]
    commands = "\n".join(str(stage.get("command") or "") for stage in present)
    seconds = sum(float(stage["seconds"]) for stage in present)
    return page.command(commands) + f'<p class="muted">{page.text(duration(seconds))}</p>'


def _link(story: Story, run: str) -> str:
    if not (story.root / run / REPORT_NAME).is_file():
        return ""
    return f"<p>{page.link(f'{run}/{REPORT_NAME}', 'Everything about this run')}</p>"


def _answers(rows: Any, reference: str = "right") -> str:
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
            shown.append((row["prompt"], *(_short(one) for one in answers), row["reference"]))
    return page.table(("asked", *(NAMES.get(name, name) for name in models), reference), shown)


def _short(text: Any, longest: int = 160) -> str:
    shown = " ".join(str(text).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _with_names(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {**found, "right": {NAMES.get(name, name): share for name, share in found["right"].items()}}
        for kind, found in kinds.items()
    }


def _safely(make: Any, *values: Any) -> Any:
    """What `make` makes, or None of numbers in a file that somebody edited."""
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
        return make(*values)
    return None


def _picture(figure: Figure | None, name: str, label: str) -> str:
    return to_svg(figure, name, label) if figure is not None else ""


def _share(value: Any) -> str | None:
    number = finite(value)
    return None if number is None else f"{number:.1%}"


def _count(value: Any) -> str | None:
    number = finite(value)
    return None if number is None else f"{number:,.0f}"
