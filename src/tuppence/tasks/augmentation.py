"""Texts with parts left out, differently each time they come: what a classifier is trained on besides whole texts.

A small set teaches what decides *most* of its texts: nearly all spam of the SMS collection has a telephone number, and
"You have WON a guaranteed prize, call now" has none. A classifier that often sees a text without its numbers, or only
half of it, learns the rest of the signs, too. Everything is drawn by torch's generator, so that a step is the same
whenever it is made. Called by `classify`; nothing is left out where a classifier is measured or asked.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHORTEST_CROP = 0.25
"""The least share of a text that a crop keeps."""


def leave_out(
    tokens_BT: Tensor, lengths_B: Tensor, *, word_dropout: float = 0.0, crop: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Texts without some of their tokens, and their new lengths; one token stays at least.

    Args:
        tokens_BT: padded on the right.
        word_dropout: each token is left out with this probability (Iyyer et al. 2015,
            https://aclanthology.org/P15-1162, section 3.1): no single word then decides alone.
        crop: of so many texts an unbroken part alone is kept, as in Meng et al. 2021 (arXiv:2102.08473); its share of
            the text is even between `SHORTEST_CROP` and 1, and so is its place.

    Example:
        >>> tokens, lengths = leave_out(torch.tensor([[7, 8, 9, 0]]), torch.tensor([3]))
        >>> tokens.tolist(), lengths.tolist()
        ([[7, 8, 9, 0]], [3])
    """
    kept_BT = _crops(tokens_BT, lengths_B, crop) & (
        torch.rand(tokens_BT.shape, device=tokens_BT.device) >= word_dropout
    )
    kept_BT[:, 0] |= ~kept_BT.any(dim=1)
    order_BT = torch.argsort((~kept_BT).to(torch.uint8), dim=1, stable=True)  # what stays moves to the front
    return tokens_BT.gather(1, order_BT), kept_BT.sum(dim=1)


def _crops(tokens_BT: Tensor, lengths_B: Tensor, crop: float) -> Tensor:
    """Which tokens stand in the part that is kept of each text: of most texts all but the padding."""
    cropped_B, share_B, place_B = torch.rand(3, len(lengths_B), device=tokens_BT.device)
    shares_B = torch.where(cropped_B < crop, SHORTEST_CROP + (1 - SHORTEST_CROP) * share_B, 1.0)
    sizes_B = (shares_B * lengths_B).ceil().long()
    starts_B = ((lengths_B - sizes_B + 1) * place_B).long()
    places_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
    kept_BT: Tensor = (places_T >= starts_B[:, None]) & (places_T < (starts_B + sizes_B)[:, None])
    return kept_BT
