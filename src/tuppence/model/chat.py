"""A chat with a model: the transcript precedes every new line, as far as the context length allows.

An instruction model uses its chat template: ours, or that of another tool if it can be read. A base model has no roles:
the transcript is plain text, each turn on separate lines, and the model continues it. The terminal is in
`tuppence.cli.generate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tuppence.data.records.encoding import encode_prompt
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.text import TextDecoder
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message


@dataclass
class ChatSession:
    """Keeps the transcript, and drops its oldest turns when the context is full.

    Attributes:
        sampling: parameters of each answer. The seed is that of the first answer and increases by 1 for each next one.
        turns: the transcript so far: pairs of a line and its answer.
    """

    model: GPT
    tokenizer: Tokenizer
    sampling: Sampling
    turns: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.tokenizer.foreign_template is not None:  # its responses may end with another token than a text
            self.tokenizer = self.tokenizer.with_chat_template()

    def reply(self, line: str, on_text: Callable[[str], None]) -> None:
        """Answers one line, piece by piece.

        After a KeyboardInterrupt the transcript keeps the part of the answer that was shown.

        Args:
            on_text: called with each piece of the answer.
        """
        ids = self._prompt(line) or self.tokenizer.start_ids
        answer: list[str] = []
        try:
            for _, piece in TextDecoder(self.model, self.tokenizer, [ids], self.sampling):
                answer.append(piece)
                on_text(piece)
        finally:
            self.turns.append((line, "".join(answer)))
            if self.sampling.seed is not None:
                self.sampling = replace(self.sampling, seed=self.sampling.seed + 1)

    def reset(self) -> None:
        """Empties the transcript."""
        self.turns.clear()

    def _prompt(self, line: str) -> list[int]:
        """The ids of the transcript and `line`. Drops the oldest turns until there is room for an answer."""
        context = self.model.config.context_length
        room = max(context // 2, context - self.sampling.max_tokens)
        while self.turns and len(self._encode(line)) > room:
            del self.turns[0]
        return self._encode(line)

    def _encode(self, line: str) -> list[int]:
        if not self.tokenizer.has_chat_template:
            return self.tokenizer.encode("\n".join([*(said + answer for said, answer in self.turns), line]))
        messages = []
        for said, answer in self.turns:
            if answer.strip():  # an interrupted or empty answer is no turn
                messages += [Message("user", said), Message("assistant", answer)]
        return encode_prompt(self.tokenizer, [*messages, Message("user", line)])
