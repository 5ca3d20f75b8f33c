"""The whole life of a small model on the embedded default data: `tuppence quickstart`.

    stages.py     what each stage does, and the command that does the same
    recipes.py    how the models are trained: recipes of tuppence/configs
    measure.py    what the evaluation finds beyond what `tuppence evaluate` prints
    life.py       goes through the stages, passes over what stands, keeps the record that the report tells from

This file has the names of the stages alone: the command line needs them for `--help`, which imports nothing heavy.
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
"""Every stage in order, and the stages whose result it needs."""
