"""Where files are: on this machine, or behind a URL such as `s3://bucket/key`.

`Location` is the text that names a place. `stage` gives a local, read-only copy of it at the boundary of a package;
text that is read as a stream comes through `open_store`. `s3://` itself comes later, as an entry of `schemes.SCHEMES`.
"""

from tuppence.storage.location import Location, is_remote, join, local_path, output_path, split_url
from tuppence.storage.schemes import open_store, require_known_scheme
from tuppence.storage.staging import find_input, location_of, stage, stage_checkpoint, stage_run
from tuppence.storage.store import Entry, Store

__all__ = [
    "Entry",
    "Location",
    "Store",
    "find_input",
    "is_remote",
    "join",
    "local_path",
    "location_of",
    "open_store",
    "output_path",
    "require_known_scheme",
    "split_url",
    "stage",
    "stage_checkpoint",
    "stage_run",
]
