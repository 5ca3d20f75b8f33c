"""Access to files on this machine or behind a URL such as `s3://bucket/key`.

A `Location` is a path or a URL as text. `stage` returns a local, read-only copy of it. `open_store` gives streams for
data that is read piece by piece. `client` gives the clients of boto3 that all packages use.
"""

from tuppence.storage.aws_client import client
from tuppence.storage.aws_errors import AwsError, redacted
from tuppence.storage.copies import absolute_location, location_of
from tuppence.storage.location import Location, is_remote, join, local_path, output_path, split_url
from tuppence.storage.outputs import can_be_written, mirror_of, remote_output
from tuppence.storage.run_mirror import RunMirror
from tuppence.storage.schemes import open_store, require_known_scheme
from tuppence.storage.staging import find_input, stage, stage_checkpoint, stage_run
from tuppence.storage.store import Entry, RemoteStore, Store
from tuppence.storage.upload_time import SaveTime, save_time

__all__ = [
    "AwsError",
    "Entry",
    "Location",
    "RemoteStore",
    "RunMirror",
    "SaveTime",
    "Store",
    "absolute_location",
    "can_be_written",
    "client",
    "find_input",
    "is_remote",
    "join",
    "local_path",
    "location_of",
    "mirror_of",
    "open_store",
    "output_path",
    "redacted",
    "remote_output",
    "require_known_scheme",
    "save_time",
    "split_url",
    "stage",
    "stage_checkpoint",
    "stage_run",
]
