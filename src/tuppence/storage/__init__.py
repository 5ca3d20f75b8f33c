"""Where bytes live: local folders now, `s3://` later, behind one small interface.

Data sources read through it; shards and checkpoints, which are memory-mapped, stay local files.
"""

from tuppence.storage.store import Entry, Store, open_store, split_url

__all__ = ["Entry", "Store", "open_store", "split_url"]
