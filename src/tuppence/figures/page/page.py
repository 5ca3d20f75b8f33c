"""The page of `tuppence export RUN --to page`: a language model that runs in the browser, in one file.

The page needs no server and no network. A second model beside the first reads the same prompt: a base beside what was
aligned from it.
"""

from __future__ import annotations

from pathlib import Path

from tuppence import __version__
from tuppence.core import files
from tuppence.core.errors import InputError
from tuppence.core.outputs import refuse_unwritable
from tuppence.figures.format import number
from tuppence.figures.html import render
from tuppence.figures.page.live import live, name_of
from tuppence.figures.page.packing import javascript_pattern, packed_bytes
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.storage import output_path

LARGEST_PARAMETERS = 60_000_000
"""All weights are in the page: 80 MB of text at this size, and about 0.15 s for each token on a slow core."""
INDEX = "index.html"
SIGNATURE, SIGNATURE_WITHIN = "written by tuppence", 1000
"""The text near the end of every page (live_page.html), and the bytes of the end in which it is."""


def write_page(run: str | Path, out: str | Path, *, beside: str | Path | None = None) -> Path:
    """Writes the page of a language model, and returns its path.

    Args:
        run: a run, its `model` folder, a Hugging Face GPT-2 folder or an adapter folder.
        out: the page, if the name ends with .html or .htm; otherwise a folder, in which it becomes index.html.
        beside: a second model, on the left of the first.

    Raises:
        InputError: not a language model, a model of more than `LARGEST_PARAMETERS`, a tokenizer that JavaScript cannot
            express, a page that cannot be written, or a file there that is no page of tuppence.
    """
    models = [inspect(place, "lm") for place in (beside, run) if place is not None]
    for info in models:
        _check(info)
    page = page_path(out)
    refuse_unwritable(page, file=True)
    _refuse_foreign_file(page)
    title = " beside ".join(map(name_of, models))
    content = render(
        "live_page.html",
        title=title,
        summary=_summary(models[-1]),
        live=live(models),
        about="The weights are in this page, in int8. Nothing is sent anywhere: it works without a network.",
        version=__version__,
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(page, content, follow_link=True)
    return page


def _refuse_foreign_file(page: Path) -> None:
    """An earlier page is replaced; another file is not."""
    if not page.is_file() or not page.stat().st_size:
        return
    with page.open("rb") as file:
        file.seek(max(page.stat().st_size - SIGNATURE_WITHIN, 0))
        if SIGNATURE.encode() not in file.read():
            raise InputError(f"{page} is there, and tuppence did not write it", "choose another --out, or remove it")


def page_path(out: str | Path) -> Path:
    """The path of the page for an output that the user named.

    Example:
        >>> page_path("models/fox.html").as_posix(), page_path("models/fox").as_posix()
        ('models/fox.html', 'models/fox/index.html')
    """
    path = output_path(out)
    return path if path.suffix.lower() in (".html", ".htm") and not path.is_dir() else path / INDEX


def _check(info: ModelInfo) -> None:
    parameters = info.config.parameter_count()
    if parameters > LARGEST_PARAMETERS:
        raise InputError(
            f"{name_of(info)} has {number(parameters)} parameters: its page would have"
            f" {packed_bytes(info.config) / 1e6:,.0f} MB",
            f"a page can have a model of up to {number(LARGEST_PARAMETERS)}",
        )
    javascript_pattern(info.tokenizer.pattern.name)


def _summary(info: ModelInfo) -> list[str]:
    config = info.config
    return [
        f"{number(config.parameter_count())} parameters",
        f"{config.n_layers} layers of {config.n_heads} heads",
        f"context of {config.context_length:,} tokens",
    ]
