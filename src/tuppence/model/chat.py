"""A conversation with a model: what was said goes in front of every new line, as far as the context reaches.

An instruction model is asked in its chat template: ours, or one of another tool where that can be read. A base model
knows no roles: the transcript is plain text, one turn after the other on lines of their own, and the model goes on with
it. The terminal is in `tuppence.cli.generate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuppence.data.records.encoding import encode_prompt
from tuppence.model.gpt import GPT
from tuppence.model.text import generate_text
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message


@dataclass
class Conversation:
    """Keeps the transcript, and drops its oldest turns when the context is full.

    Attributes:
        max_tokens: new tokens in an answer, at most.
        temperature, top_k, top_p, stop: as in `generate_text`.
        seed: of the first answer; each answer counts on from it. None is fresh randomness.
        turns: what was said so far: each line and its answer.
    """

    model: GPT
    tokenizer: Tokenizer
    max_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    turns: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.tokenizer.foreign_template is not None:  # its responses may end with another token than a text
            self.tokenizer = self.tokenizer.with_chat_template()

    def reply(self, line: str, on_text: Callable[[str], None]) -> None:
        """Answers one line, piece by piece.

        An interrupted answer (KeyboardInterrupt) stays in the transcript as far as it came, as on the screen.

        Args:
            on_text: called with each piece of the answer.
        """
        prompt, ids = self._prompt(line)
        answer: list[str] = []

        def keep(_: int, piece: str) -> None:
            answer.append(piece)
            on_text(piece)

        try:
            generate_text(
                self.model,
                self.tokenizer,
                [prompt],
                max_tokens=self.max_tokens,
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                seed=self.seed,
                stop=self.stop,
                on_text=keep,
                encoded=[ids],
            )
        finally:
            self.turns.append((line, "".join(answer)))
            self.seed = None if self.seed is None else self.seed + 1

    def reset(self) -> None:
        """Forgets everything said."""
        self.turns.clear()

    def _prompt(self, line: str) -> tuple[str, list[int]]:
        """The transcript with `line` at its end: as many of the newest turns as leave room for an answer."""
        context = self.model.config.context_length
        room = max(context // 2, context - self.max_tokens)
        while self.turns and len(self._encode(line)) > room:
            del self.turns[0]
        return line, self._encode(line)

    def _encode(self, line: str) -> list[int]:
        if not self.tokenizer.has_chat_template:
            return self.tokenizer.encode("\n".join([*(said + answer for said, answer in self.turns), line]))
        messages = []
        for said, answer in self.turns:
            if answer.strip():  # an interrupted or empty answer is no turn
                messages += [Message("user", said), Message("assistant", answer)]
        return encode_prompt(self.tokenizer, [*messages, Message("user", line)])
