"""`tuppence quickstart`: all stages of a small language model, on the embedded data sets.

    life.py       runs the stages, skips finished ones, and writes the state that the report reads
    stages.py     the stages: their titles, and the commands that do the same
    actions.py    the functions that do the stages, each with the function of a verb
    plan.py       the user's choices, and the paths of the results
    pace.py       computes how much of each stage fits into the time
    probe.py      measures the present speed of the machine
    recipes.py    the recipes of the models, from tuppence/configs
    measure.py    the evaluation of the language models

This file has only the names of the stages: `--help` needs them and must not import torch.
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
