"""The embedded data sets: stories, sms, instructions and preferences, made from code and tables without a download.

    sets.py                  the sets by name, and how they are written to files
    stories.py               text to pretrain on; tells plots/ with teller.py and the modules that it uses
    sms.py                   ham and spam, from tables/messages.txt
    instructions.py          tasks of skills/, whose answers are computed
    preferences.py           chosen and rejected answers to the requests of requests.py
    grammar.py, phrasing.py  the language of templates, in stories and outside them
    tables/                  the words

The content is frozen: a count and a seed give the same bytes in every version. tests/synthetic/test_frozen.py holds
their hashes.
"""

from __future__ import annotations

from tuppence.synthetic.instructions import iter_instructions
from tuppence.synthetic.preferences import iter_preferences
from tuppence.synthetic.sms import iter_sms
from tuppence.synthetic.stories import iter_stories, story

__all__ = ["iter_instructions", "iter_preferences", "iter_sms", "iter_stories", "story"]
