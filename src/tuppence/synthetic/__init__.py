"""Data made by the library itself, so that everything can be tried without a download."""

from __future__ import annotations

from tuppence.synthetic.instructions import iter_instructions
from tuppence.synthetic.preferences import iter_preferences
from tuppence.synthetic.sms import iter_sms
from tuppence.synthetic.stories import iter_stories, story

__all__ = ["iter_instructions", "iter_preferences", "iter_sms", "iter_stories", "story"]
