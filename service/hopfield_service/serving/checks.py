"""The rules that requests are held to before anything is done."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.dynamics import Order
from hopfield_service.core.network import Network
from hopfield_service.core.patterns import Signs
from hopfield_service.errors import InvalidField

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_LABEL_LENGTH = 256


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some patterns of one length, as they came in a request.

    Attributes:
        signs: (count, N) int8: 1, -1, or 0 for an unknown neuron.
        field: of the request they came in.
    """

    signs: Signs
    field: str


def check_name(name: str, field: str = "name") -> None:
    """Refuses a name that no memory can have.

    Raises:
        InvalidField: it is one.
    """
    if not _NAME.fullmatch(name):
        raise InvalidField(field, f"must match {_NAME.pattern}, and {name[:200]!r} does not")


def check_labels(labels: Sequence[str]) -> None:
    """Refuses labels that no patterns can have.

    Raises:
        InvalidField: one is empty, too long, holds control characters, or comes twice.
    """
    seen: set[str] = set()
    for k, label in enumerate(labels):
        if not 1 <= len(label) <= _LABEL_LENGTH or not label.isprintable():
            raise InvalidField(f"labels[{k}]", f"must be 1 to {_LABEL_LENGTH} printable characters")
        if label in seen:
            raise InvalidField(f"labels[{k}]", f"must be given once: {label!r} is a duplicate")
        seen.add(label)


def check_neurons(name: str, network: Network, block: Block) -> None:
    """Refuses patterns of another length than those of a memory.

    Raises:
        InvalidField: they are.
    """
    neurons = network.spec.neurons
    if block.signs.shape[1] != neurons:
        raise InvalidField(
            f"{block.field}.neurons", f"must be {neurons}, as memory {name!r} has; is {block.signs.shape[1]}"
        )


def check_order(order: Order | NDArray[np.int64], neurons: int) -> None:
    """Refuses an explicit order that does not visit every neuron exactly once.

    Raises:
        InvalidField: it does not.
    """
    if isinstance(order, Order):
        return
    if len(order) != neurons or np.any(np.sort(order) != np.arange(neurons)):
        raise InvalidField("options.explicit_order", f"must hold each of 0 to {neurons - 1} exactly once")


def symmetric(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix that is symmetric up to rounding, made exactly so by the mean of its halves.

    Raises:
        InvalidField: it is not finite, or not symmetric to 1e-9 of its largest entry.
    """
    finite = np.isfinite(weights)
    if not finite.all():
        i, j = (int(index) for index in np.argwhere(~finite)[0])
        raise InvalidField("weights", f"must be finite; entry ({i}, {j}) is {weights[i, j]}")
    largest = float(np.abs(weights).max())
    if largest * weights.shape[0] ** 2 > np.finfo(np.float64).max / 4:
        raise InvalidField("weights", f"must be small enough for an energy to be finite; the largest is {largest:g}")
    difference = np.abs(weights - weights.T)
    if difference.max() > 1e-9 * largest:
        i, j = (int(index) for index in np.unravel_index(int(difference.argmax()), difference.shape))
        raise InvalidField(
            "weights",
            f"must be symmetric; entry ({i}, {j}) is {weights[i, j]:g} and entry ({j}, {i}) is {weights[j, i]:g}",
        )
    return (weights + weights.T) / 2
