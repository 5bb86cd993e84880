"""The rules that requests are held to before anything is done."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.dynamics import Order
from hopfield_service.core.network import Network
from hopfield_service.core.patterns import Bits, Signs, pack, unpack
from hopfield_service.errors import InvalidField, shown

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_LABEL_LENGTH = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some patterns of one length, as they came in a request, and not unpacked before they are used.

    Attributes:
        neurons: N.
        values: (count, ceil(N / 8)) uint8, packed, or (count, N) int8: 1, -1, or 0 for an unknown neuron.
        field: of the request they came in.
    """

    neurons: int
    values: Bits | Signs
    field: str

    def __len__(self) -> int:
        return len(self.values)

    def signs(self, k: int) -> Signs:
        """Pattern k, (N,) int8."""
        one = self.values[k : k + 1]
        block = one.view(np.int8) if self.values.dtype == np.int8 else unpack(one.view(np.uint8), self.neurons)
        return block.reshape(self.neurons)

    def known(self) -> Bits:
        """All patterns, packed.

        Raises:
            InvalidField: a neuron is unknown.
        """
        if self.values.dtype == np.uint8:
            return self.values.view(np.uint8)
        unknown = self.values == 0
        if unknown.any():
            k, i = divmod(int(unknown.argmax()), self.neurons)
            raise InvalidField(
                f"{self.field}.signs", f"must be 1 or -1 in a stored pattern; pattern {k} has 0 at neuron {i}"
            )
        return pack(self.values.view(np.int8))


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
        if not 1 <= len(label) <= _LABEL_LENGTH or _CONTROL.search(label):
            raise InvalidField(
                f"labels[{k}]",
                f"must be 1 to {_LABEL_LENGTH} characters, no control characters; {shown(label)} has {len(label)}",
            )
        if label in seen:
            raise InvalidField(f"labels[{k}]", f"must be given once: {shown(label)} is a duplicate")
        seen.add(label)


def check_neurons(name: str, network: Network, block: Block) -> None:
    """Refuses patterns of another length than those of a memory.

    Raises:
        InvalidField: they are.
    """
    neurons = network.spec.neurons
    if block.neurons != neurons:
        raise InvalidField(f"{block.field}.neurons", f"must be {neurons}, as memory {name!r} has; is {block.neurons}")


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
    infinite = ~np.isfinite(weights)
    if infinite.any():
        i, j = divmod(int(infinite.argmax()), len(weights))
        raise InvalidField("rows", f"must be finite; weight ({i}, {j}) is {weights[i, j]}")
    largest = float(np.abs(weights).max())
    if largest * weights.shape[0] ** 2 > np.finfo(np.float64).max / 4:
        raise InvalidField(
            "rows", f"must be small enough for an energy to be finite; the largest weight is {largest:g}"
        )
    difference = np.abs(weights - weights.T)
    if difference.max() > 1e-9 * largest:
        i, j = divmod(int(difference.argmax()), len(weights))
        raise InvalidField(
            "rows",
            f"must be symmetric; weight ({i}, {j}) is {weights[i, j]:g} and weight ({j}, {i}) is {weights[j, i]:g}",
        )
    return (weights + weights.T) / 2
