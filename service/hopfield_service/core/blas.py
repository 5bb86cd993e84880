"""Products of matrices by BLAS, which nothing interrupts, in parts that end soon.

BLAS adds in any order. So it computes what is exact in any order, or what is neither kept nor recalled.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check

# Multiplications between two questions whether anybody still waits: some ten milliseconds.
_WORK_BETWEEN_QUESTIONS = 1 << 27
# Columns that BLAS takes as fast as more of them.
_FEWEST_COLUMNS = 64


def product(left: NDArray[Any], right: NDArray[Any], interruption: Interruption) -> NDArray[Any]:
    """`left @ right`.

    Args:
        left: (rows, inner), float32 or float64.
        right: (inner, columns), of the same dtype.
        interruption: asked between parts.

    Returns:
        (rows, columns), of the same dtype.

    Raises:
        Interrupted: `interruption` said so.
    """
    (rows, inner), columns = left.shape, right.shape[1]
    wide = _WORK_BETWEEN_QUESTIONS // max(1, rows * inner) // _FEWEST_COLUMNS * _FEWEST_COLUMNS
    width = max(_FEWEST_COLUMNS, wide)
    found = np.empty((rows, columns), left.dtype)
    for start in range(0, columns, width):
        check(interruption)
        np.matmul(left, right[:, start : start + width], out=found[:, start : start + width])
    return found
