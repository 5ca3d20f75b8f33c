"""Text made by the library itself, so that everything can be tried without a download."""

from __future__ import annotations

from tuppence.data.synthetic.stories import iter_stories, story

__all__ = ["iter_stories", "story"]
