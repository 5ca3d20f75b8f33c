"""Sphinx extension: the site's page with a live model. It is exported from a run on this machine, if there is one, and
is not part of the repository.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
RUNS = ("runs/quickstart/pretrain", "runs/course/laptop/base-*/run")
"""Patterns of the runs whose model is shown; the first that has a model."""


def run_with_model() -> Path | None:
    """The run whose model the site shows."""
    found = [run for pattern in RUNS for run in sorted(ROOT.glob(pattern)) if (run / "model" / "config.json").is_file()]
    return found[0] if found else None


def choose(app: Sphinx) -> None:
    """Sets the tag `live`, which live.md reads."""
    if run_with_model() is not None:
        app.tags.add("live")


def export(app: Sphinx, exception: Exception | None) -> None:
    """Writes the page of the model beside the pages of the site."""
    run = run_with_model()
    if exception is None and run is not None and app.builder.format == "html":
        from tuppence.figures.page.page import write_page

        write_page(run, Path(app.outdir) / "live-model")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects to the beginning and the end of the build."""
    app.connect("builder-inited", choose)
    app.connect("build-finished", export)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
