"""Data made by the library itself, so that everything can be tried without a download."""

from __future__ import annotations

from tuppence.data.synthetic.instructions import iter_instructions
from tuppence.data.synthetic.preferences import iter_preferences
from tuppence.data.synthetic.sms import iter_sms
from tuppence.data.synthetic.stories import iter_stories, story

__all__ = ["iter_instructions", "iter_preferences", "iter_sms", "iter_stories", "story"]
