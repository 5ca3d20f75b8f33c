"""Copies the result of a run to a folder of its own, for other programs: a whole model, or a LoRA adapter.

A page of the model is made by `tuppence.figures.page`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.core.folders import atomic_folder, standing
from tuppence.core.run import Run
from tuppence.model import adapters
from tuppence.model.loaded import inspect
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model
from tuppence.storage import output_path, stage_run

_MODEL_FILES = frozenset({".json", ".safetensors", ".txt", ".jinja"})
"""Endings of the files of a model and its tokenizer. Pickles, which can run code, and logs are not copied."""
_ADAPTER_FILES = (adapters.CONFIG, adapters.WEIGHTS, adapters.BASE)


def export_model(run: str | Path, out: str | Path) -> Path:
    """Writes a Hugging Face folder that does not depend on any other folder, and returns its path.

    RUN/model is copied; it is complete, adapters included. An adapter folder is merged with its base.

    Args:
        run: a run, a Hugging Face GPT-2 folder or an adapter folder.
        out: a new or empty folder.

    Raises:
        InputError: there is no model, or `out` has files already.
        CorruptFileError: a file of the model is damaged.
        OutOfSpaceError: the disk is full; `out` is untouched.
    """
    found, folder = inspect(run), _new_folder(out)
    if found.adapter is not None:
        save_model(load_model(found), folder, tokenizer=found.tokenizer)
        return folder
    with atomic_folder(folder) as temporary:
        for path in sorted(found.place.iterdir()):
            if path.is_file() and path.suffix in _MODEL_FILES:
                shutil.copyfile(path, temporary / path.name)
    return folder


def export_adapter(run: str | Path, out: str | Path) -> Path:
    """Copies the LoRA adapter of a run, in PEFT's layout, and returns the path of the copy.

    Args:
        run: a run that trained an adapter, or an adapter folder.
        out: a new or empty folder.

    Raises:
        InputError: the run has no adapter, or `out` has files already.
        OutOfSpaceError: the disk is full; `out` is untouched.
    """
    source, folder = standing(stage_run(run)), _new_folder(out)
    places = [place for place in (source, standing(Run.of(source).adapter)) if adapters.is_adapter(place)]
    if not places:
        raise InputError(f"{source} has no adapter", "give a run of a finetuning verb with --lora, or use --to hf")
    if not (places[0] / adapters.WEIGHTS).is_file():
        raise InputError(f"{places[0]} has no {adapters.WEIGHTS}", "give a complete adapter folder")
    with atomic_folder(folder) as temporary:
        for name in _ADAPTER_FILES:
            if (places[0] / name).is_file():
                shutil.copyfile(places[0] / name, temporary / name)
    return folder


def _new_folder(out: str | Path) -> Path:
    folder = output_path(out)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty", "choose a new --out")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", "name a folder to write")
    return folder
