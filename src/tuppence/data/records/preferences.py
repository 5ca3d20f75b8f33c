"""Preferences: a prompt and two answers to it, of which people like the first better."""

from __future__ import annotations

from dataclasses import dataclass

from tuppence.tokenizer.chat_template import Message


@dataclass(frozen=True)
class Preference:
    """One comparison.

    Attributes:
        prompt: the conversation so far; its last turn is the user's.
        chosen: the answer that was liked better.
        rejected: the other one.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
