"""Random nets, as every measurement here uses them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_client import HopfieldClient, Memory

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Seconds that one call may take.
TIMEOUT = 300.0


@contextmanager
def memory(client: HopfieldClient, neurons: int, **spec: Any) -> Iterator[Memory]:
    """An empty memory, deleted afterwards."""
    name = f"figure-{uuid.uuid4().hex}"
    try:
        yield client.create_memory(name, neurons, **spec)
    finally:
        client.delete_memory(name, missing_ok=True)


@contextmanager
def imported(client: HopfieldClient, weights: Floats) -> Iterator[Memory]:
    """A memory of weights given from outside, deleted afterwards."""
    name = f"figure-{uuid.uuid4().hex}"
    try:
        yield client.import_weights(name, weights)
    finally:
        client.delete_memory(name, missing_ok=True)


def patterns(count: int, neurons: int, random: np.random.Generator) -> Bits:
    """Random patterns, (count, neurons), +1 and -1 alike."""
    return random.random((count, neurons)) < 0.5


def inverted(stored: Bits, share: float, random: np.random.Generator) -> Bits:
    """The patterns with a share of the neurons of each inverted, rounded to whole neurons."""
    neurons = stored.shape[1]
    chosen = random.random(stored.shape).argsort(axis=1)[:, : round(share * neurons)]
    result = stored.copy()
    np.put_along_axis(result, chosen, ~np.take_along_axis(stored, chosen, axis=1), axis=1)
    return result


def signs(states: NDArray[Any]) -> Floats:
    """-1 and 1."""
    return np.where(states, 1.0, -1.0)


def overlaps(stored: NDArray[Any], states: NDArray[Any]) -> Floats:
    """M of each state with the pattern in the same row."""
    result: Floats = (signs(stored) * signs(states)).mean(axis=-1)
    return result


def standard_error(values: Floats) -> Floats:
    """Of the mean over the first axis, which counts nets."""
    result: Floats = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return result
