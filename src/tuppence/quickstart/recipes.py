"""The recipes of the quickstart's four models. Its printed commands name the same recipes.

Finetuning ends by steps, so that a slower machine reaches the same quality later.
"""

from __future__ import annotations

from tuppence.core.config import load_config
from tuppence.core.recipes import FOLDER
from tuppence.model.sampling import Sampling
from tuppence.tasks.classify import ClassifyRecipe
from tuppence.tasks.dpo import DPORecipe
from tuppence.tasks.instruct import InstructRecipe
from tuppence.tasks.pretrain import PretrainRecipe

# read by path: `--config quickstart` would prefer a file of that name in the working directory
PRETRAIN = load_config(PretrainRecipe, FOLDER / "quickstart.yaml")
SPAM = load_config(ClassifyRecipe, FOLDER / "quickstart-spam.yaml")
INSTRUCT = load_config(InstructRecipe, FOLDER / "quickstart-instruct.yaml")
DPO = load_config(DPORecipe, FOLDER / "quickstart-dpo.yaml")

PROMPT = PRETRAIN.train.sample_prompts[0]
"""The beginning of the story that the pretrained model continues."""

STORY = Sampling(max_tokens=180, temperature=1.0, top_p=0.5, seed=1)
"""The sampling of that story; `benchmarks/stories.py` compares other options."""
