"""`import tuppence as tp`: the interface of the notebooks, each name a few lines over the library.

    setting.py      what a chapter starts with: seed, threads, scale, folder; the report of the machine
    texts.py        data in memory: stories, messages, tasks, pairs, tokens, windows
    models.py       a model with a part left out; its attention maps
    reading.py      what a model says: next tokens, texts, answers, perplexity
    fitting.py      training a model in memory, through the one loop
    verbs.py        pretrain, classify, instruct, reward, dpo, ppo, as on the command line
    runs.py         the view of a run folder
    cloud.py        S3 and SageMaker: rehearsed on this machine, or in the user's account
    base_model.py   the base model of chapters 5 to 8
    measurements.py how long the chapters took
    display.py      how things show themselves in a notebook and in a terminal

`tuppence/__init__.py` lists the names. Nothing here trains, samples or scores by itself.
"""

from __future__ import annotations

from tuppence.course.base_model import base
from tuppence.course.measurements import measured

__all__ = ["base", "measured"]
