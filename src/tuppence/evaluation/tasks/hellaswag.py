"""HellaSwag: how does a description of an everyday activity go on? Four endings, three of them machine-written.

Zellers et al. 2019, arXiv:1905.07830. The prompt is that of lm-eval's task `hellaswag`, version 1.0. Read are the rows
of the hub's version and those of mosaicml/llm-foundry, which the catalog has. Scored by `multiple_choice`.
"""

from __future__ import annotations

import re

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import GOLD_KEYS, Parts, gold_of, texts_of


def clean(text: str) -> str:
    """HellaSwag's text without the marks that its WikiHow half was scraped with; as lm-eval cleans it.

    Example:
        >>> clean("How to sit [title] Find a chair [step] Sit.  Stay. ")
        'How to sit. Find a chair Sit. Stay.'
    """
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def read_raw(row: Row) -> Parts:
    """A row of the original files: ctx_a, ctx_b, activity_label, endings, label."""
    context = f"{row.text('activity_label')}: {row.text('ctx_a')} {row.text('ctx_b').capitalize()}"
    endings = [clean(ending) for ending in texts_of(row, "endings")]
    return clean(context), endings, gold_of(row, "label")


def read(row: Row) -> Parts:
    """A row with the whole context under ctx."""
    endings = [clean(ending) for ending in texts_of(row, "endings")]
    return clean(row.text("ctx")), endings, gold_of(row, *GOLD_KEYS)
