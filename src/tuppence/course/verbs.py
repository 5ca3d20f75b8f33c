"""`tp.pretrain`, `tp.classify`, `tp.instruct`, `tp.reward`, `tp.dpo`, `tp.ppo`: the functions of the command line.

Each takes data as a file or as a list in memory, settings by name, and returns the run. The same call again finds a
finished run, and continues an unfinished one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from tuppence.core.console import listening
from tuppence.core.errors import InputError
from tuppence.core.files import sha256_file
from tuppence.cost.ledger import Rate
from tuppence.course.recipes import Recipe, recipe_of
from tuppence.course.runs import Run, temporary_folder
from tuppence.data.output import write_documents, write_rows
from tuppence.data.prepare import prepare
from tuppence.data.shards import INDEX_NAME
from tuppence.storage import output_path
from tuppence.tasks.classify import ClassifyRecipe, run_classify
from tuppence.tasks.dpo import DPORecipe, run_dpo
from tuppence.tasks.instruct import InstructRecipe, run_instruct
from tuppence.tasks.labelled import LabelledFiles
from tuppence.tasks.ppo import PPORecipe, run_ppo
from tuppence.tasks.pretrain import PretrainRecipe, run_pretraining
from tuppence.tasks.reward import RewardRecipe, run_reward
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer

Base: TypeAlias = "Run | str | Path"
Rows: TypeAlias = "str | Path | Sequence[Any]"
"""A file of rows, or rows in memory: dictionaries, or the records of `tp.sms` and the like."""

NOT_COLUMNS = ("kind",)
"""Fields of records that no reader uses."""


def pretrain(
    data: str | Path | Sequence[str],
    out: str | Path | None = None,
    *,
    tokenizer: Tokenizer | str | Path | None = None,
    preset: str | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    budget: float | None = None,
    rate: float = 0.0,
    recipe: str | Path | None = "quickstart",
    val_fraction: float = 0.1,
    **keys: Any,
) -> Run:
    """Pretrains a model, as `tuppence pretrain`.

    Args:
        data: a folder of `tuppence data prepare`; or texts, or a file of texts, and then `tokenizer`.
        out: the run folder; by default a temporary one.
        preset: "nano", "tiny", …; by default that of the recipe.
        steps, minutes, budget: limits in optimizer steps, minutes and US dollars (with `rate`, dollars an hour).
        recipe: the settings to start from.
        val_fraction: share of the texts to hold out.
        keys: settings of the recipe by name: `learning_rate=3e-3`, `n_layers=2`, `batch_size=16`, …

    Raises:
        InputError: data, settings and run folder do not fit together.
    """
    place = _place("pretrain", out)
    settings = recipe_of(PretrainRecipe, recipe, {"preset": preset, "max_steps": steps, **keys})
    with listening():
        folder = _shards(data, place, tokenizer, val_fraction)
        run_pretraining(folder, place, settings, _options(minutes, budget, rate))
    return Run(place)


def classify(base: Base, data: Rows, out: str | Path | None = None, **keys: Any) -> Run:
    """Finetunes a classifier and measures it on its test rows, as `tuppence finetune classify`.

    Args:
        base: a run, or a Hugging Face GPT-2 folder.
        data: labelled texts.
        out: the run folder; by default a temporary one.
        keys: `steps`, `minutes`, `budget`, `rate`, `recipe`, and settings by name: `rank=4`, `finetune__train="lora"`.
    """

    def train(path: Path, place: Path, settings: ClassifyRecipe, options: RunOptions) -> object:
        return run_classify(_path(base), LabelledFiles(path), place, settings, options)

    return _finetune("classify", ClassifyRecipe, "quickstart-spam", data, out, keys, train)


def instruct(base: Base, data: Rows, out: str | Path | None = None, **keys: Any) -> Run:
    """Finetunes on instructions, as `tuppence finetune instruct`; the arguments are those of `tp.classify`."""

    def train(path: Path, place: Path, settings: InstructRecipe, options: RunOptions) -> object:
        return run_instruct(_path(base), path, place, settings, options)

    return _finetune("instruct", InstructRecipe, "quickstart-instruct", data, out, keys, train)


def reward(base: Base, data: Rows, out: str | Path | None = None, **keys: Any) -> Run:
    """Trains a reward model on preferences, as `tuppence align reward`; arguments as in `tp.classify`."""

    def train(path: Path, place: Path, settings: RewardRecipe, options: RunOptions) -> object:
        return run_reward(_path(base), path, place, settings, options)

    return _finetune("reward", RewardRecipe, None, data, out, keys, train)


def dpo(base: Base, data: Rows, out: str | Path | None = None, **keys: Any) -> Run:
    """Aligns with preferences, as `tuppence align dpo`; arguments as in `tp.classify`."""

    def train(path: Path, place: Path, settings: DPORecipe, options: RunOptions) -> object:
        return run_dpo(_path(base), path, place, settings, options)

    return _finetune("dpo", DPORecipe, "quickstart-dpo", data, out, keys, train)


def ppo(base: Base, reward: Base, data: Rows, out: str | Path | None = None, **keys: Any) -> Run:
    """Aligns with a reward model, as `tuppence align ppo`; other arguments as in `tp.classify`.

    Args:
        reward: a run of `tp.reward`.
    """

    def train(path: Path, place: Path, settings: PPORecipe, options: RunOptions) -> object:
        return run_ppo(_path(base), _path(reward), path, place, settings, options)

    return _finetune("ppo", PPORecipe, None, data, out, keys, train)


def _finetune(
    verb: str,
    schema: type[Recipe],
    recipe: str | None,
    data: Rows,
    out: str | Path | None,
    keys: Mapping[str, Any],
    train: Callable[[Path, Path, Recipe, RunOptions], object],
) -> Run:
    given = dict(keys)
    options = _options(given.pop("minutes", None), given.pop("budget", None), given.pop("rate", 0.0))
    settings = recipe_of(schema, given.pop("recipe", recipe), {"max_steps": given.pop("steps", None), **given})
    place = _place(verb, out)
    with listening():
        train(_rows_file(data, place), place, settings, options)
    return Run(place)


def _place(verb: str, out: str | Path | None) -> Path:
    return temporary_folder(verb) if out is None else output_path(out)


def _path(base: Base) -> Path:
    return base.path if isinstance(base, Run) else Path(base)


def _options(minutes: float | None, budget: float | None, rate: float) -> RunOptions:
    return RunOptions(
        max_minutes=minutes, budget_usd=budget, rate=Rate(rate, "given in the notebook") if rate else Rate()
    )


def _beside(place: Path, name: str) -> Path:
    """Returns the path of a file or folder beside a run folder, which itself can hold nothing else."""
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f"{place.name}-{name}")


def _rows_file(data: Rows, place: Path) -> Path:
    """Returns the file of rows; rows in memory are written beside the run."""
    if isinstance(data, str | Path):
        return Path(data)
    return _written(_beside(place, "rows.jsonl"), lambda file: write_rows(file, map(_row, data)))


def _written(file: Path, write: Callable[[Path], object]) -> Path:
    """Writes a file, or leaves it untouched if it has the same content: a finished run knows its data by their date."""
    new = file.with_name(f"new-{file.name}")
    write(new)
    if file.exists() and sha256_file(file) == sha256_file(new):
        new.unlink()
    else:
        new.replace(file)
    return file


def _row(record: Any) -> dict[str, str]:
    values = record if isinstance(record, Mapping) else vars(record)
    return {name: value for name, value in values.items() if name not in NOT_COLUMNS}


def _shards(
    data: str | Path | Sequence[str], place: Path, tokenizer: Tokenizer | str | Path | None, val_fraction: float
) -> Path:
    """Returns the folder of token shards; texts are prepared beside the run."""
    if isinstance(data, str | Path):
        if (Path(data) / INDEX_NAME).exists():
            return Path(data)
        source = Path(data)
    else:
        source = _written(_beside(place, "texts.jsonl"), lambda file: write_documents(file, data))
    if tokenizer is None:
        raise InputError("texts need a tokenizer", "give tokenizer=tp.train_tokenizer(texts, vocab_size=…)")
    known = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer.load(tokenizer)
    folder = _beside(place, "data")
    prepare([str(source)], known, folder, val_fraction=val_fraction)
    return folder
