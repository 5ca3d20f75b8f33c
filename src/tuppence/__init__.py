"""tuppence: a GPT-2-scale language model from scratch, where the dollar is a first-class quantity.

    import tuppence as tp

gives a notebook or a script the names below. They are found when they are first used, so that `import tuppence` is
fast: torch and boto3 are imported only by the packages that need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    # the setting of a chapter
    "chapter": "course.setting",
    "doctor": "course.setting",
    "say": "course.display",
    "source": "course.display",
    "Table": "core.table",
    # data and tokens
    "stories": "course.texts",
    "sms": "course.texts",
    "instructions": "course.texts",
    "preferences": "course.texts",
    "train_tokenizer": "tokenizer",
    "load_tokenizer": "course.texts",
    "Tokenizer": "tokenizer",
    "show_tokens": "course.texts",
    "tokens": "course.texts",
    "windows": "course.texts",
    # the model
    "ModelConfig": "model.config",
    "PRESETS": "model.config",
    "GPT": "model.gpt",
    "ablated": "course.models",
    "attention_maps": "course.models",
    "causal_mask": "model.attention",
    "attention": "model.attention:explicit_attention",
    "LoRA": "model.lora",
    "LoRALinear": "model.lora",
    "add_lora": "model.lora",
    # training
    "fit": "course.fitting",
    "Objective": "training.objective",
    "cross_entropy": "training.reference",
    "adamw_step": "training.reference",
    "dpo_losses": "tasks.dpo",
    "equations": "tasks.ppo.equations:",
    "pretrain": "course.verbs",
    "classify": "course.verbs",
    "instruct": "course.verbs",
    "reward": "course.verbs",
    "dpo": "course.verbs",
    "ppo": "course.verbs",
    "open": "course.runs:open_run",
    "Run": "course.runs",
    # money
    "plan": "tasks.planning",
    "estimate_aws_cost": "cost.estimate",
    "prices": "cost.price_table:price_table",
    # AWS
    "cloud": "course.cloud",
    "launch": "cli.notebook",
    # what a model says
    "next_tokens": "course.reading",
    "write": "course.reading",
    "answer": "course.reading",
    "perplexity": "course.reading",
    # a model for others
    "export": "figures.export",
    # exercises
    "check": "exercises",
    # packages
    "course": "course:",
    "figures": "figures:",
}
"""Name → its module, and its name there if that differs; nothing after the colon for the module itself."""

__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:  # `as` marks a name that is meant for users of the package
    from tuppence import course as course
    from tuppence import figures as figures
    from tuppence.cli.notebook import launch as launch
    from tuppence.core.table import Table as Table
    from tuppence.cost.estimate import estimate_aws_cost as estimate_aws_cost
    from tuppence.cost.price_table import price_table as prices  # noqa: F401
    from tuppence.course.cloud import cloud as cloud
    from tuppence.course.display import say as say
    from tuppence.course.display import source as source
    from tuppence.course.fitting import fit as fit
    from tuppence.course.models import ablated as ablated
    from tuppence.course.models import attention_maps as attention_maps
    from tuppence.course.reading import answer as answer
    from tuppence.course.reading import next_tokens as next_tokens
    from tuppence.course.reading import perplexity as perplexity
    from tuppence.course.reading import write as write
    from tuppence.course.runs import Run as Run
    from tuppence.course.runs import open_run as open  # noqa: F401
    from tuppence.course.setting import chapter as chapter
    from tuppence.course.setting import doctor as doctor
    from tuppence.course.texts import instructions as instructions
    from tuppence.course.texts import load_tokenizer as load_tokenizer
    from tuppence.course.texts import preferences as preferences
    from tuppence.course.texts import show_tokens as show_tokens
    from tuppence.course.texts import sms as sms
    from tuppence.course.texts import stories as stories
    from tuppence.course.texts import tokens as tokens
    from tuppence.course.texts import windows as windows
    from tuppence.course.verbs import classify as classify
    from tuppence.course.verbs import dpo as dpo
    from tuppence.course.verbs import instruct as instruct
    from tuppence.course.verbs import ppo as ppo
    from tuppence.course.verbs import pretrain as pretrain
    from tuppence.course.verbs import reward as reward
    from tuppence.exercises import check as check
    from tuppence.figures.export import export as export
    from tuppence.model.attention import causal_mask as causal_mask
    from tuppence.model.attention import explicit_attention as attention  # noqa: F401
    from tuppence.model.config import PRESETS as PRESETS
    from tuppence.model.config import ModelConfig as ModelConfig
    from tuppence.model.gpt import GPT as GPT
    from tuppence.model.lora import LoRA as LoRA
    from tuppence.model.lora import LoRALinear as LoRALinear
    from tuppence.model.lora import add_lora as add_lora
    from tuppence.tasks.dpo import dpo_losses as dpo_losses
    from tuppence.tasks.planning import plan as plan
    from tuppence.tasks.ppo import equations as equations
    from tuppence.tokenizer import Tokenizer as Tokenizer
    from tuppence.tokenizer import train_tokenizer as train_tokenizer
    from tuppence.training.objective import Objective as Objective
    from tuppence.training.reference import adamw_step as adamw_step
    from tuppence.training.reference import cross_entropy as cross_entropy


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path, colon, inside = where.partition(":")
    module = importlib.import_module(f"{__name__}.{path}")
    value = module if colon and not inside else getattr(module, inside or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
