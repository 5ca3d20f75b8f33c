"""`tuppence quickstart`: every stage of a small model's life, on the embedded data sets.

    life.py       goes through the stages, skips what is done, and keeps the state that the report reads
    stages.py     what each stage does, and the command that does the same
    plan.py       what the user chose, and where results are kept
    pace.py       how much of each stage fits into the time
    probe.py      how fast this machine is now
    recipes.py    how the models are trained: recipes of tuppence/configs
    measure.py    the evaluation of the language models

This file has only the names of the stages, because `--help` needs them and must not import torch.
"""

from __future__ import annotations

STAGES: dict[str, tuple[str, ...]] = {
    "stories": (),
    "tokenizer": ("stories",),
    "data": ("tokenizer",),
    "pretrain": ("data",),
    "spam": ("pretrain",),
    "instruct": ("pretrain",),
    "dpo": ("instruct",),
    "evaluate": ("pretrain",),
    "report": ("pretrain",),
}
"""Every stage in order → the stages whose result it needs."""
