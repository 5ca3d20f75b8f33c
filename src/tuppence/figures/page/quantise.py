"""Weights in int8, one scale for each row of a matrix: a quarter of the bytes of float32.

A row is scaled so that its largest weight becomes ±127, and rounded (absmax quantisation, Dettmers et al. 2022,
arXiv:2208.07339, section 2.1; here for each row of the weights, and not for the inputs). The error of a weight is at
most half a step: max|row| / 254.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class QuantisedRows(NamedTuple):
    """A matrix in int8.

    Attributes:
        weight: (rows, columns), int8, from -127 to 127.
        scale: (rows,), float32; a weight is its int8 times the scale of its row.
    """

    weight: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]

    def dequantised(self) -> npt.NDArray[np.float32]:
        """The matrix in float32, as the page computes with it: (rows, columns)."""
        return self.weight.astype(np.float32) * self.scale[:, None]


def quantise_rows(matrix: npt.NDArray[np.float32]) -> QuantisedRows:
    """Quantises each row of a finite matrix, (rows, columns). A row of zeros stays zero.

    Example:
        >>> rows = quantise_rows(np.array([[1.0, -0.5], [0.0, 0.0]], dtype=np.float32))
        >>> rows.weight.tolist()
        [[127, -64], [0, 0]]
        >>> rows.dequantised().round(3).tolist()
        [[1.0, -0.5040000081062317], [0.0, 0.0]]
    """
    largest = np.abs(matrix).max(axis=1).astype(np.float64)
    scale = (largest / 127).astype(np.float32)
    divisor = np.where(scale > 0, scale, 1).astype(np.float64)[:, None]
    weight = np.clip(np.rint(matrix / divisor), -127, 127).astype(np.int8)
    return QuantisedRows(weight, scale)
