"""The base model of chapters 5 to 8: pretrained once on the embedded stories, and found again by every notebook."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from tuppence import __version__
from tuppence.core.config import load_config
from tuppence.core.console import listening, note
from tuppence.core.errors import InputError
from tuppence.core.locks import lock_folder
from tuppence.core.recipes import FOLDER
from tuppence.course.runs import Run
from tuppence.course.setting import Scale, course_folder, current_scale
from tuppence.course.texts import PLOTS
from tuppence.data.prepare import prepare
from tuppence.data.sources import iter_texts
from tuppence.figures.run_data import read_run
from tuppence.synthetic.sets import SETS, write_set
from tuppence.tasks.pretrain import PretrainRecipe, run_pretraining
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer

SIZES: dict[Scale, tuple[int, int, int, dict[str, object]]] = {
    "test": (300, 512, 40, {"n_layers": 2, "n_heads": 2, "d_model": 32, "context_length": 128}),
    "laptop": (8_000, 4096, 800, {"preset": "nano"}),
    "gpu": (20_000, 8192, 2_000, {"preset": "tiny"}),
}
"""Scale → stories, vocabulary, Muon steps, and the `model` section of the recipe."""


WAIT_SECONDS = 0.5


def base(scale: Scale | None = None) -> Run:
    """Returns the base model of chapters 5 to 8, and makes it if it is not there.

    The folder's name has a fingerprint of data, recipe and version, so a changed recipe gets a folder of its own.

    Args:
        scale: as in `tp.chapter`.
    """
    chosen = scale or current_scale()
    stories, vocabulary, steps, sizes = SIZES[chosen]
    recipe = load_config(PretrainRecipe, FOLDER / "quickstart.yaml", [f"train.max_steps={steps}"])
    train = recipe.train.model_copy(update={"eval_every": max(1, steps // 8), "log_every": max(1, steps // 160)})
    recipe = PretrainRecipe.model_validate({"model": sizes, "train": train})
    made_of = f"{stories} {PLOTS} {vocabulary} {recipe.model_dump_json()} {__version__}"
    folder = course_folder() / chosen / f"base-{hashlib.sha256(made_of.encode()).hexdigest()[:10]}"
    run = folder / "run"
    if not _is_done(run):  # a finished one is used as it is, also after its folder was moved
        release = _wait_for(folder)
        try:
            with listening():
                run_pretraining(_data(folder, stories, vocabulary), run, recipe, RunOptions())
        finally:
            release()
    return Run(run)


def _is_done(run: Path) -> bool:
    return run.exists() and read_run(run).get("status") == "done"


def _wait_for(folder: Path) -> Callable[[], None]:
    """Locks the folder, after another notebook that makes the same base has finished."""
    folder.mkdir(parents=True, exist_ok=True)
    said = False
    while True:
        try:
            return lock_folder(folder, "making the base model in")
        except InputError:
            if not said:
                note("another notebook is making the base model; waiting for it")
                said = True
            time.sleep(WAIT_SECONDS)


def _data(folder: Path, stories: int, vocabulary: int) -> Path:
    """Makes stories, tokenizer and shards below `folder`, what of them is missing; returns the shard folder."""
    text, tokenizer, data = folder / "stories.txt", folder / "tokenizer", folder / "data"
    if not text.exists():
        write_set(SETS["stories"], text, stories, seed=0, plots=PLOTS)
    if not (tokenizer / "tokenizer.json").exists():
        train_tokenizer(iter_texts([str(text)]), vocabulary).save(tokenizer)
    prepare([str(text)], Tokenizer.load(tokenizer), data, val_fraction=0.02)
    return data
