"""Random deletions in the training texts of a classifier: single tokens, or all but one part of the text.

On a small data set a classifier learns only the signs that decide *most* texts: nearly all spam in the SMS collection
has a telephone number, and "You have WON a guaranteed prize, call now" has none. If it often sees a text without its
numbers, or only half of it, it learns other signs too. Called by `classify`, in training only.
"""

from __future__ import annotations

import numpy as np

from tuppence.data.records.texts import Array

SHORTEST_CROP = 0.25
"""The smallest share of a text that a crop keeps."""


def leave_out(ids: Array, generator: np.random.Generator, *, word_dropout: float, crop: float) -> Array:
    """Removes some tokens of a text; at least one is kept.

    Args:
        ids: int64, (T,).
        generator: seeded by the text and the step, so that the result does not depend on batches, ranks or resumes.
        word_dropout: probability that a token is removed (Iyyer et al. 2015, https://aclanthology.org/P15-1162, section
            3.1).
        crop: probability that only one contiguous part is kept, as in Meng et al. 2021 (arXiv:2102.08473). Its length
            is uniform between `SHORTEST_CROP` and 1 times the text, and its position is uniform.

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
