"""`export`: a model as one live page, or as a folder for other programs. `tuppence export` and `tp.export` call it."""

from __future__ import annotations

from pathlib import Path

from tuppence.core.errors import InputError

TARGETS = ("page", "hf", "peft")

_FILES = (
    *(".txt", ".md", ".pdf", ".json", ".js", ".css", ".csv", ".xhtml", ".png", ".svg"),
    *(".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".zip", ".gz", ".tar", ".tgz"),
)
"""Endings of files: somebody who gives such a name expects a file, and would get a folder."""


def export(run: str | Path, to: str, out: str | Path, *, beside: str | Path | None = None) -> Path:
    """Writes a model in another form, and returns the path of the page or folder.

    Args:
        run: a run, a Hugging Face GPT-2 folder or an adapter folder.
        to: "page", one HTML file in which a language model runs; "hf", a Hugging Face folder with adapters merged; or
            "peft", the LoRA adapter of a run.
        out: the folder; for a page also a file that ends with .html.
        beside: for a page, a second model that reads the same text.

    Raises:
        InputError: an unknown target, a model that the target cannot have, or an output that cannot be written.
    """
    if to not in TARGETS:
        raise InputError(f"{to!r} is no target of an export", f"choose one of {', '.join(TARGETS)}")
    _refuse_file_name(str(out), to)
    if to == "page":
        from tuppence.figures.page.page import write_page

        return write_page(run, out, beside=beside)
    if beside is not None:
        raise InputError("only a page can have a model beside another", "leave it out: a folder has one model")
    from tuppence.model.export import export_adapter, export_model

    return export_model(run, out) if to == "hf" else export_adapter(run, out)


def _refuse_file_name(out: str, to: str) -> None:
    path = Path(out)
    endings = (*_FILES, ".html", ".htm") if to != "page" else _FILES
    if out.endswith("/") or path.is_dir() or path.suffix.lower() not in endings:
        return
    if to == "page":
        raise InputError(
            f"{path.name} is the name of a {path.suffix} file, and a page is an .html file",
            f"end it with .html, or with / for a folder: {path.with_suffix('.html')}",
        )
    raise InputError(
        f"{path.name} is the name of a file, and {to} writes a folder", f"name a folder: {path.with_suffix('')}"
    )
