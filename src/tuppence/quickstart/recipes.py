"""How the quickstart trains its four models. The same recipes stand in
`tuppence/configs`, for `--config quickstart`; a test holds them equal.

Finetuning ends by steps, so that a slower machine gives the same quality later; each stage has a cap in minutes
besides. Pretraining ends by the clock.
"""

from __future__ import annotations

from typing import Any

from tuppence.tasks.classify import ClassifyChoice, ClassifyConfig
from tuppence.tasks.dpo import DPOChoice, DPOConfig
from tuppence.tasks.finetune import LoRAChoice
from tuppence.tasks.instruct import InstructChoice, InstructConfig
from tuppence.tasks.pretrain import ModelChoice, PretrainConfig
from tuppence.training.config import TrainConfig

PROMPT = "One morning"

STORY: dict[str, Any] = {"max_tokens": 180, "temperature": 1.0, "top_p": 0.5, "seed": 1}
"""How the story at the end is drawn; `benchmarks/stories.py` compares others."""

PRETRAIN = PretrainConfig(
    model=ModelChoice(preset="nano"),
    train=TrainConfig(
        batch_size=8,
        optimizer="muon",
        learning_rate=1e-2,
        warmup_steps=20,
        schedule="wsd",
        decay_fraction=0.7,
        min_lr_factor=0.0,
        eval_every=400,
        eval_tokens=32_768,
        sample_prompts=(PROMPT,),
        sample_tokens=50,
        compile=False,
    ),
)
"""`--config quickstart`: how it was found is in benchmarks/LOG.md. Not compiled: `pace` does not know its cost."""

SPAM = ClassifyConfig(
    finetune=ClassifyChoice(train="all", dropout=0.1, word_dropout=0.0, crop=0.0),
    train=TrainConfig(
        batch_size=32,
        learning_rate=1e-3,
        embedding_learning_rate=1e-3,
        warmup_steps=10,
        weight_decay=0.01,
        beta2=0.99,
        eval_every=100,
        log_every=5,
        max_steps=500,
    ),
)
"""`--config quickstart-spam`

Whole texts: to leave out parts of them does not pay in so short a time (F1 0.81 instead of 0.86 on the test split).
"""

INSTRUCT = InstructConfig(
    finetune=InstructChoice(val_fraction=0.03),
    lora=LoRAChoice(rank=32),
    train=TrainConfig(
        batch_size=32,
        optimizer="muon",
        learning_rate=6e-3,
        warmup_steps=20,
        weight_decay=0.0,
        beta2=0.99,
        eval_every=300,
        sample_tokens=30,
        log_every=10,
        max_steps=1200,
    ),
)
"""`--config quickstart-instruct`

Tried from one base of the recipe above, 1,000 steps; held-out loss, answers exactly right of 600, and the perplexity of
stories, which the base has at 3.3: Muon at 6e-3 1.75, 16.8 %, 12,889; Muon at 3e-3 1.89, 12.2 %, 889; AdamW at 4e-3
2.09, 10.0 %, 1,156. Whatever learns the tasks in two minutes forgets the stories.
"""

DPO = DPOConfig(
    align=DPOChoice(beta=0.1),
    lora=LoRAChoice(rank=16),
    train=TrainConfig(
        batch_size=16,
        learning_rate=5e-4,
        warmup_steps=5,
        weight_decay=0.0,
        beta2=0.99,
        eval_every=10,
        sample_every=60,
        sample_tokens=40,
        log_every=2,
        max_steps=60,
    ),
)
"""`--config quickstart-dpo`"""
