"""Chooses the number of threads for the next token: all, or one while other programs use the cores.

The threads of a step wait for each other dozens of times. If another program uses one of the cores, each wait lasts
until the system returns the core, and one thread alone is many times as fast. The number of threads does not change the
generated tokens, so it can be chosen from measured times.
"""

from __future__ import annotations

TRIAL = 2
"""Tokens in a trial of the other thread count. The fastest one counts, because another may have been interrupted."""
FIRST_REST, LONGEST_REST = 32, 512
"""Tokens between two trials: the first value at the start and after a change. It doubles after each trial without a
change, up to the second value."""
SLOW = 2.0
"""A token that takes this many times as long as at the last trial starts a new trial at once."""


class ThreadChoice:
    """Chooses between all threads and one.

    Args:
        threads: the maximum. With 1 there is nothing to choose.

    Attributes:
        threads: number of threads for the next token.

    Example:
        >>> choice = ThreadChoice(2)
        >>> for _ in range(6):  # two threads that wait for a core are slower than one
        ...     choice.took(0.030 if choice.threads == 2 else 0.002)
        >>> choice.threads
        1
    """

    def __init__(self, threads: int) -> None:
        self.threads = self._all = threads
        self._before: float | None = None  # seconds per token before the trial; None outside a trial
        self._usual = float("inf")  # seconds per token when the current number was chosen
        self._rest, self._tokens = FIRST_REST, FIRST_REST - TRIAL  # the first trial comes after two tokens
        self._times: list[float] = []  # of the last tokens

    def took(self, seconds: float) -> None:
        """Records the time of the last token with `threads` threads."""
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
