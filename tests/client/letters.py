"""What the tests store: random patterns under letters."""

import numpy as np
from numpy.typing import NDArray

N = 64


def random_patterns(count: int, neurons: int = N, seed: int = 1) -> NDArray[np.int8]:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (count, neurons))


def corrupted(pattern: NDArray[np.int8], flips: int) -> NDArray[np.int8]:
    query = pattern.copy()
    query.reshape(-1)[:flips] *= -1
    return query


PATTERNS = random_patterns(5)
LABELS = ["A", "B", "C", "D", "E"]
