"""The reference of DPO: the log-probabilities of the pairs under the policy as it was before the first step.

They are computed for all pairs before the first step and kept in every checkpoint ("precomputed"), or for each batch
when it is trained on ("online"). The result is the same; dropout is off in both.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tuppence.core.console import counted, note
from tuppence.data.buckets import batches_by_length
from tuppence.model.branches import branch_log_probabilities
from tuppence.model.gpt import GPT
from tuppence.tasks.finetuning import lengths_of
from tuppence.tasks.pairs import Pairs, collate_pairs

SAY_EVERY_SECONDS = 10.0


class Reference:
    """Log-probabilities of chosen and rejected answers under the reference model.

    Args:
        model: the reference model; None if it is not kept: the policy before its first step then precomputes all pairs.
        precompute: whether all pairs are computed before the first step. Must be true if there is no model.
        reload: reads the reference model again, if a run that is continued needs it and did not keep it.
    """

    def __init__(
        self, pairs: Pairs, model: GPT | None, *, precompute: bool, reload: Callable[[], GPT] | None = None
    ) -> None:
        self._pairs, self._model, self._precompute, self._reload = pairs, model, precompute, reload
        self._table_N2: Tensor | None = None

    def model_at(self, step: int, policy: GPT) -> GPT:
        """The reference model: the one that is kept, or the policy before its first step, or else read again."""
        if self._model is not None or step == 0:
            return policy if self._model is None else self._model
        assert self._reload is not None
        return self._reload()

    def prepare(self, policy: GPT, batch_size: int) -> None:
        """Computes all pairs, if they are precomputed and this was not done before."""
        if self._precompute and self._table_N2 is None:
            self._table_N2 = self._make_table(policy if self._model is None else self._model, batch_size)

    @torch.no_grad()
    def log_probabilities(self, tokens_BT: Tensor, branches_BT: Tensor, numbers_B: Tensor) -> Tensor:
        """Log-probabilities of chosen and rejected answers, summed over tokens, (B, 2).

        Args:
            tokens_BT, branches_BT, numbers_B: a batch of `collate_pairs`.
        """
        if self._table_N2 is None:
            assert self._model is not None, "prepare comes first"
            return branch_log_probabilities(self._model, tokens_BT, branches_BT)[0]
        self._table_N2 = self._table_N2.to(numbers_B.device)
        return self._table_N2[numbers_B.clamp(min=0)]

    @torch.no_grad()
    def _make_table(self, model: GPT, batch_size: int) -> Tensor:
        """The log-probabilities of all pairs, (N, 2)."""
        rows = [*self._pairs.train, *self._pairs.val]
        device = model.token_embedding.weight.device
        table_N2 = torch.zeros(len(rows), 2)
        note(f"reference log-probabilities of {counted(len(rows), 'pair')}")
        done, said = 0, time.monotonic()
        for numbers in batches_by_length(lengths_of(rows), batch_size):
            tokens_BT, branches_BT, _ = (
                part.to(device) for part in collate_pairs([rows[number] for number in numbers])
            )
            table_N2[torch.from_numpy(numbers)] = branch_log_probabilities(model, tokens_BT, branches_BT)[0].cpu()
            done += len(numbers)
            if time.monotonic() - said > SAY_EVERY_SECONDS:
                note(f"reference log-probabilities: {done:,} of {len(rows):,}")
                said = time.monotonic()
        return table_N2

    def state(self) -> dict[str, Tensor]:
        """The precomputed values with a hash of their pairs, and whether a run precomputes, which never changes."""
        state = {"precompute": torch.tensor(self._precompute)}
        if self._table_N2 is None:
            return state
        return {**state, "reference": self._table_N2.cpu(), "pairs": self._pairs_digest()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Restores what `state` returned. Values of other pairs are dropped, to be computed again.

        Raises:
            ValueError: this is another state, or the values are of other pairs and there is no model to compute them.
        """
        keys = tensors.keys()
        if keys not in ({"precompute"}, {"precompute", "reference", "pairs"}):
            raise ValueError("it has no reference log-probabilities")
        self._precompute, self._table_N2 = bool(tensors["precompute"]), None
        if not self._precompute and self._model is None and self._reload is not None:
            self._model = self._reload()  # other limits made this attempt expect a precomputed reference
        if "reference" not in keys:
            return
        if torch.equal(tensors["pairs"], self._pairs_digest()):
            self._table_N2 = tensors["reference"]
        elif self._model is None:
            raise ValueError("its reference log-probabilities are of other pairs, and the reference is not kept")

    def _pairs_digest(self) -> Tensor:
        """sha256 over all pairs in order, as 32 bytes."""
        digest = hashlib.sha256()
        for pair in (*self._pairs.train, *self._pairs.val):
            digest.update(pair.ids.tobytes() + pair.branches.tobytes())
        return torch.tensor(list(digest.digest()), dtype=torch.uint8)
