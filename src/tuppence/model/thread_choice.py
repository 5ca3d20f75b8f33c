"""How many threads write the next token: all of them, or one while other programs use the cores.

The threads of a step wait for each other dozens of times. Where another program has one of the cores, each wait lasts
until the system gives the core back, and one thread alone is many times as fast. The number of threads does not change
a token, so it can follow the times that were measured.
"""

from __future__ import annotations

TRIAL = 2
"""Tokens of a trial of the other number. The faster of them counts: one may have been interrupted."""
FIRST_REST, LONGEST_REST = 32, 512
"""Tokens between two trials: at first and after a change, and after several trials that changed nothing."""
SLOW = 2.0
"""Tokens that take so many times what they took at the last trial lead to a trial at once."""


class ThreadChoice:
    """Chooses between all threads and one.

    Args:
        threads: all of them. With 1 there is nothing to choose.

    Attributes:
        threads: how many are to write the next token.

    Example:
        >>> choice = ThreadChoice(2)
        >>> for _ in range(6):  # two threads that wait for a core are slower than one
        ...     choice.took(0.030 if choice.threads == 2 else 0.002)
        >>> choice.threads
        1
    """

    def __init__(self, threads: int) -> None:
        self.threads = self._all = threads
        self._before: float | None = None  # seconds a token took with the other number; None outside a trial
        self._usual = float("inf")  # seconds a token took when the present number was chosen
        self._rest, self._tokens = FIRST_REST, FIRST_REST - TRIAL  # the first trial comes after two tokens
        self._times: list[float] = []  # of the last tokens

    def took(self, seconds: float) -> None:
        """Notes what the last token took with `threads` threads."""
        if self._all == 1:
            return
        self._tokens += 1
        self._times = [*self._times[1 - TRIAL :], seconds]
        if len(self._times) < TRIAL:
            return
        now = min(self._times)
        if self._before is None:
            slow = now > SLOW * self._usual and self._tokens >= FIRST_REST
            if slow or self._tokens >= self._rest:
                self._before = now
                self._switch()
            return
        if now < self._before:
            self._usual, self._rest = now, FIRST_REST
        else:
            self._usual, self._rest = self._before, min(2 * self._rest, LONGEST_REST)
            self._switch()
        self._before, self._tokens = None, 0

    def _switch(self) -> None:
        self.threads, self._times = (1 if self.threads == self._all else self._all), []
