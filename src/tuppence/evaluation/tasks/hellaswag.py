"""The task `hellaswag`: choose the right ending of a description of an everyday activity; three of four are generated.

Zellers et al. 2019, arXiv:1905.07830. The prompt is that of lm-eval's task `hellaswag`, version 1.0. Supports the rows
of the Hugging Face hub and of mosaicml/llm-foundry (the catalog has the latter). `multiple_choice` scores them.
"""

from __future__ import annotations

import re

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import GOLD_KEYS, Parts, gold_of, texts_of


def clean(text: str) -> str:
    """Removes the markup of the WikiHow half of HellaSwag, as lm-eval does.

    Example:
        >>> clean("How to sit [title] Find a chair [step] Sit.  Stay. ")
        'How to sit. Find a chair Sit. Stay.'
    """
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def read_raw(row: Row) -> Parts:
    """Reads a row of the original files: ctx_a, ctx_b, activity_label, endings, label."""
    context = f"{row.text('activity_label')}: {row.text('ctx_a')} {row.text('ctx_b').capitalize()}"
    endings = [clean(ending) for ending in texts_of(row, "endings")]
    return clean(context), endings, gold_of(row, "label")


def read(row: Row) -> Parts:
    """Reads a row with the whole context under "ctx"."""
    endings = [clean(ending) for ending in texts_of(row, "endings")]
    return clean(row.text("ctx")), endings, gold_of(row, *GOLD_KEYS)
