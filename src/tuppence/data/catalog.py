"""The catalog of public data sets (catalog.json), and the download of one.

The sets are not part of tuppence: each has its own licence, and `get` downloads it from its origin.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import atomic_file, read_json
from tuppence.data.download import DEFAULT_LIMIT_BYTES, Download, OnProgress, already_there, download
from tuppence.storage import output_path

CATALOG = Path(__file__).with_name("catalog.json")


@dataclass(frozen=True)
class PublicSet:
    """One set of the catalog.

    Attributes:
        name: for `tuppence data get`.
        title: one line of description.
        kind: "text", "labelled", "instructions", "preferences" or "evaluation".
        file: suggested name of the file. Its suffix determines how it is read.
        url: of the download.
        licence: as its authors state it.
        origin: the page to read before using it.
        bytes: the file's size; None if it is not known.
        sha256: of the file; None if no published value was found.
        member: for a zip archive, the file to extract. `bytes` and `sha256` are then those of this file.
        use: the command that uses it.
        note: a remark for the user.
    """

    name: str
    title: str
    kind: str
    file: str
    url: str
    licence: str
    origin: str
    bytes: int | None
    sha256: str | None
    member: str | None
    use: str
    note: str


def load_catalog() -> list[PublicSet]:
    """Returns all sets, in the order of the catalog.

    Example:
        >>> load_catalog()[0].name
        'tiny-shakespeare'
    """
    return [PublicSet(**one) for one in read_json(CATALOG)["sets"]]


def find_set(name: str) -> PublicSet:
    """Returns the set with this name.

    Raises:
        InputError: there is none. The hint has the most similar name.
    """
    sets = {one.name: one for one in load_catalog()}
    if name not in sets:
        near = get_close_matches(name, sets, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"we know {', '.join(sets)}"
        raise InputError(f"there is no public set called '{name}'", hint)
    return sets[name]


def get(public: PublicSet, out: str | Path, on_progress: OnProgress | None = None) -> Download:
    """Downloads a set into the file `out`: resumable and verified, see `download`.

    Raises:
        InputError, CorruptFileError, OutOfSpaceError: as in `download`.
    """
    out = output_path(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder", f"name a file: --out {out / public.file}")
    limit = public.bytes if public.bytes and not public.member else DEFAULT_LIMIT_BYTES
    if public.member is None:
        return download(public.url, out, sha256=public.sha256, limit_bytes=limit, on_progress=on_progress)
    if out.exists():
        return already_there(out, public.sha256)
    archive = out.with_name(out.name + ".zip")
    archive.unlink(missing_ok=True)
    download(public.url, archive, limit_bytes=limit, on_progress=on_progress)
    try:
        return _extract(archive, public, out)
    finally:
        archive.unlink(missing_ok=True)


def _extract(archive: Path, public: PublicSet, out: Path) -> Download:
    digest, size, limit = hashlib.sha256(), 0, public.bytes or DEFAULT_LIMIT_BYTES
    try:
        with (
            zipfile.ZipFile(archive) as bundle,
            bundle.open(public.member or "") as member,
            atomic_file(out) as new,
        ):
            while block := member.read(2**20):
                size += len(block)
                if size > limit:
                    raise CorruptFileError(f"{public.member} of {public.url} is larger than it should be", "try again")
                digest.update(block)
                new.write(block)
            if public.sha256 is not None and digest.hexdigest() != public.sha256:
                raise CorruptFileError(
                    f"{public.member} of {public.url} has sha256 {digest.hexdigest()}, not {public.sha256}",
                    "it was removed; try again, or ask the origin",
                )
    except (zipfile.BadZipFile, KeyError) as error:
        raise CorruptFileError(f"{public.url} is not the expected archive: {error}", "try again later") from error
    return Download(out, size, digest.hexdigest(), verified=public.sha256 is not None)
