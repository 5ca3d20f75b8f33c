"""A head on top of a GPT that scores a whole text: classes (chapter 6) or a reward (chapter 8).

The score is computed at the *last real token*, the only one that attends to the whole text. Its place follows from the
lengths, not from a padding id, because a text can contain that id. The architecture is that of
`GPT2ForSequenceClassification`; `weights` reads and writes the files.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tuppence.core.errors import InputError
from tuppence.model.gpt import GPT
from tuppence.model.lora import LoRA, add_lora

Trained = Literal["all", "last-block", "head", "lora"]


class SequenceScorer(nn.Module):
    """A GPT with a linear head on the last real token.

    Args:
        gpt: the body; its own head is not used.
        scores: number of scores for each text: the number of classes, or 1 for a reward.

    Example:
        >>> from tuppence.model.config import ModelConfig
        >>> body = GPT(ModelConfig(n_layers=1, n_heads=1, d_model=4, context_length=8, vocab_size=11))
        >>> model = SequenceScorer(body, scores=3)
        >>> model(torch.tensor([[5, 6, 0], [7, 8, 9]]), torch.tensor([2, 3])).shape
        torch.Size([2, 3])
    """

    def __init__(self, gpt: GPT, scores: int) -> None:
        super().__init__()
        self.gpt = gpt
        weight = gpt.token_embedding.weight
        self.score = nn.Linear(weight.shape[1], scores, bias=False, device=weight.device, dtype=weight.dtype)
        if not weight.is_meta:
            nn.init.normal_(self.score.weight, std=0.02)

    def forward(self, tokens_BT: Tensor, lengths_B: Tensor) -> Tensor:
        """Scores of every text, (B, C).

        Args:
            tokens_BT: token ids, padded on the right with any id.
            lengths_B: number of tokens of each text without padding, 1 to T.
        """
        hidden_BTD = self.gpt.hidden(tokens_BT)
        last_BD = hidden_BTD[torch.arange(len(lengths_B), device=lengths_B.device), lengths_B - 1]
        scores_BC: Tensor = self.score(last_BD)
        return scores_BC


def train_only(model: SequenceScorer, trained: Trained, lora: LoRA | None = None) -> None:
    """Freezes the parameters that are not trained. The head is always trained.

    Args:
        trained: "all"; "last-block", with the final layer norm; "head" alone; or "lora", an adapter in every block.
        lora: shape of the adapters.

    Raises:
        InputError: the choice is unknown.
    """
    if trained not in ("all", "last-block", "head", "lora"):
        raise InputError(f"cannot train {trained!r} alone", "use all, last-block, head or lora")
    if trained == "lora":
        add_lora(model.gpt, lora or LoRA())
    elif trained != "all":
        model.gpt.requires_grad_(False)
    if trained == "last-block":
        model.gpt.blocks[-1].requires_grad_(True)
        model.gpt.final_norm.requires_grad_(True)
    model.score.requires_grad_(True)
