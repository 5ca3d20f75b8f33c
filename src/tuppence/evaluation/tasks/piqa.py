"""The task `piqa`: choose the better of two ways to reach an everyday goal.

Bisk et al. 2019, arXiv:1911.11641. The prompt is that of lm-eval's task `piqa`, version 1.0. Supports the rows of the
original files and of mosaicml/llm-foundry (whose query lacks "Answer:"). `multiple_choice` scores them.
"""

from __future__ import annotations

from tuppence.data.records.rows import Row
from tuppence.evaluation.rows.choices import Parts, gold_of, question_prompt


def read(row: Row) -> Parts:
    """Reads a row of goal, sol1, sol2 and label."""
    return question_prompt(row.text("goal")), [row.text("sol1"), row.text("sol2")], gold_of(row, "label")
