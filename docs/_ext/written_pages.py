"""Pages that the build writes: only those that changed, and none that is no longer wanted."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path, pages: dict[str, str]) -> None:
    """Makes the Markdown files of a folder equal to `pages`, from name to text."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in {path.name for path in folder.glob("*.md")} - set(pages):
        (folder / stale).unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
