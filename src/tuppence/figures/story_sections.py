"""The stages of a story as sections of its page, one function each; a stage that was skipped yields nothing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping

from tuppence.figures import classification, curves, milestones, page
from tuppence.figures.record import finite
from tuppence.figures.story_pieces import NAMES, answers, count, done, link, picture, safely, share, with_names
from tuppence.figures.story_record import Story, number_at
from tuppence.figures.style import SMALL


def data(story: Story) -> Iterator[str]:
    stories, tokenizer, tokens = (story.numbers(name) for name in ("stories", "tokenizer", "data"))
    if not stories:
        return
    yield done(story, "stories", "tokenizer", "data")
    facts = {
        "stories": count(stories.get("stories")),
        "bytes": count(stories.get("bytes")),
        "vocabulary": count(tokenizer.get("vocab_size")),
        "tokens to train on": count(tokens.get("train")),
        "tokens held out": count(tokens.get("val")),
        "how text is cut": " | ".join(map(str, tokenizer.get("pieces") or [])),
    }
    yield page.card(page.facts(facts))
    yield page.details("The first of the stories", page.sample("", str(stories.get("sample") or "")))


def pretraining(story: Story) -> Iterator[str]:
    run = story.runs.get("pretrain")
    if run is None or not (numbers := story.numbers("pretrain")):
        return
    yield done(story, "pretrain")
    wide = picture(curves.loss_curve(run.metrics), "pretrain-loss", "Loss of pretraining by step")
    narrow = picture(curves.loss_curve(run.metrics, (SMALL[0], 3.2)), "pretrain-narrow", "Loss of pretraining by step")
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
    if copies := numbers.get("copied"):
        yield f'<p class="muted">{page.text(copies)}</p>'
    yield link(story, "pretrain")


def spam(story: Story) -> Iterator[str]:
    run, classes = story.runs.get("spam"), story.classes
    if run is None or not classes:
        return
    yield done(story, "spam")
    yield f"<p>{page.text(classes.get('verdict') or '')}</p>"
    yield page.pair(
        page.card(picture(curves.loss_curve(run.metrics, SMALL, "nats per text"), "spam-loss", "Loss by step")),
        page.card(picture(safely(classification.against_baselines, classes), "spam-bars", "Model and baselines")),
        page.card(picture(safely(classification.confusion_matrix, classes), "spam-confusion", "Confusion matrix")),
    )
    baselines = classes.get("baselines")
    if isinstance(baselines, Mapping):
        before = {"language model, after": classes, **baselines}
        yield page.card(
            page.table(
                ("", "accuracy", f"F1, {classes.get('f1_of')}"),
                [(name, share(one.get("accuracy")), share(one.get("f1"))) for name, one in before.items()],
            ),
            title=f"On {classes.get('rows')} messages that were held out",
        )
    mistakes = [one for one in classes.get("mistakes") or [] if isinstance(one, Mapping)][:3]
    rows = [
        (one.get("text"), one.get("label"), one.get("predicted"), share(one.get("probability"))) for one in mistakes
    ]
    yield page.card(
        page.table(("message", "is", "was taken for", "probability"), rows), title="Where it was surest, and wrong"
    )
    yield link(story, "spam")


def instructions(story: Story) -> Iterator[str]:
    run, numbers = story.runs.get("instruct"), story.numbers("evaluate")
    if run is None or "instruct" not in story.stages:
        return
    yield done(story, "instruct")
    trained, size = run.number("trained_parameters"), run.number("parameters")
    if trained and size:
        yield f"<p>{trained:,.0f} of {size:,.0f} parameters were trained: the adapter. The base stayed as it was.</p>"
    exact = {
        NAMES.get(name, name): tasks["exact_match"]
        for name, tasks in story.scores.items()
        if isinstance(tasks, Mapping) and isinstance(tasks.get("exact_match"), Mapping)
    }
    yield page.pair(
        page.card(picture(curves.loss_curve(run.metrics, SMALL), "instruct-loss", "Loss by step")),
        page.card(picture(safely(milestones.exact_match_bars, exact), "exact", "Exactly right answers by model")),
    )
    kinds = numbers.get("kinds")
    if isinstance(kinds, Mapping):
        named = safely(with_names, kinds) or {}
        wide = picture(safely(milestones.right_by_kind, named), "kinds", "Right answers by kind of task")
        narrow = picture(safely(milestones.right_by_kind, named, 4.2), "kinds-narrow", "Right answers by kind of task")
        yield page.card(page.responsive(wide, narrow), title="Right answers by kind of task (and how many were asked)")
    yield page.card(answers(numbers.get("answers")), title="The first held-out task of eight kinds, answered by each")
    yield link(story, "instruct")


def preferences(story: Story) -> Iterator[str]:
    run = story.runs.get("dpo")
    if run is None or "dpo" not in story.stages:
        return
    yield done(story, "dpo")
    yield page.pair(
        page.card(picture(milestones.preference_curve(run.metrics), "dpo-order", "Held-out pairs in order by step")),
        page.card(picture(milestones.margin_curve(run.metrics), "dpo-margin", "Reward margin by step")),
    )
    order, margin = (story.last("dpo", key) for key in ("val_rewards/accuracies", "val_rewards/margins"))
    loss = story.last("dpo", "val_loss")
    rows = [
        ("pairs in the right order", "a coin's 50 %", share(order)),
        ("reward margin, nats", "0 by definition", None if margin is None else f"{margin:.3f}"),
        ("loss", f"{math.log(2):.3f}, which is ln 2", None if loss is None else f"{loss:.3f}"),
    ]
    yield page.card(page.table(("on held-out pairs", "before", "after"), rows))
    asked = story.numbers("evaluate").get("preferences")
    yield page.card(answers(asked, "what people liked better"), title="The first held-out requests, answered by each")
    yield link(story, "dpo")


def evaluation(story: Story) -> Iterator[str]:
    scores = story.scores
    if not scores:
        return
    yield done(story, "evaluate")
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
