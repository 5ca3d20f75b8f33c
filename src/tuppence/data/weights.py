"""Names and values by which a row says that it is not trained.

`records.row_weights` leaves such rows out of finetuning. Documents are read whatever their rows say, and
`jsonl_files` and `parquet_files` count the rows that say so.
"""

from __future__ import annotations

WEIGHT_NAMES = ("weight", "train", "training", "loss")
"""The columns or keys that can say whether a row is trained."""


def unused_weight(name: str, value: object) -> str | None:
    """The weight of a row, for messages, if it is something else than that of every other row; otherwise None.

    Example:
        >>> unused_weight("weight", 0), unused_weight("train", False), unused_weight("weight", 0.5)
        ('weight 0', 'train false', 'weight other than 0 and 1')
        >>> unused_weight("weight", 1), unused_weight("loss", 0.0), unused_weight("text", 0)
        (None, None, None)
    """
    if name not in WEIGHT_NAMES or not isinstance(value, bool | int | float) or value == 1:
        return None
    if name == "weight":
        return "weight other than 0 and 1" if value else "weight 0"
    return f"{name} false" if value is False or (value == 0 and name != "loss") else None
