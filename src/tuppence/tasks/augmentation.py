"""Texts with parts left out, differently each time they come: what a classifier is trained on besides whole texts.

A small set teaches what decides *most* of its texts: nearly all spam of the SMS collection has a telephone number, and
"You have WON a guaranteed prize, call now" has none. A classifier that often sees a text without its numbers, or only
half of it, learns the rest of the signs, too. Called by `classify`; nothing is left out where a classifier is measured
or asked.
"""

from __future__ import annotations

import numpy as np

from tuppence.data.records.texts import Array

SHORTEST_CROP = 0.25
"""The least share of a text that a crop keeps."""


def leave_out(ids: Array, generator: np.random.Generator, *, word_dropout: float, crop: float) -> Array:
    """A text without some of its tokens; one stays at least.

    Args:
        ids: int64, (T,).
        generator: draws; seeded by what the text is and when it comes, so that a step is the same however its texts
            are divided among batches and ranks, and whenever it is made.
        word_dropout: each token is left out with this probability (Iyyer et al. 2015,
            https://aclanthology.org/P15-1162, section 3.1): no single word then decides alone.
        crop: with this probability an unbroken part alone is kept, as in Meng et al. 2021 (arXiv:2102.08473); its share
            of the text is even between `SHORTEST_CROP` and 1, and so is its place.

    Returns:
        int64, (1 to T,).

    Example:
        >>> leave_out(np.array([7, 8, 9]), np.random.default_rng(0), word_dropout=0.0, crop=0.0).tolist()
        [7, 8, 9]
    """
    if generator.random() < crop:
        size = int(np.ceil(generator.uniform(SHORTEST_CROP, 1) * len(ids)))
        start = generator.integers(len(ids) - size + 1)
        ids = ids[start : start + size]
    kept = generator.random(len(ids)) >= word_dropout
    kept[0] |= not kept.any()
    return ids[kept]
