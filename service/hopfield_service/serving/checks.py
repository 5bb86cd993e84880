"""The rules that requests are held to before anything is done."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.network import Network, PatternNetwork, PatternSpec
from hopfield_service.core.options import Order
from hopfield_service.core.patterns import Bits, Coding, Queries, pack
from hopfield_service.errors import InvalidField, WrongFamily, shown
from hopfield_service.serving.conversion import PIECE

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_LABEL_LENGTH = 256
# Neurons of a block of weights.
_SQUARE = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


Encoding = Literal["bits", "signs", "floats"]
"""How the values of patterns come."""


# Not frozen: to make a frozen one takes 2.4 times as long, for every recall.
@dataclass(slots=True, eq=False)
class Block:
    """Some patterns of one length, as they came in a request, and not unpacked before they are used.

    Attributes:
        neurons: N.
        encoding: of the values.
        values: "bits": (count, ceil(N / 8)) uint8, packed; "signs": (count, N) int8 in the coding of the memory: 1 or -1, and 0 for an
            unknown neuron, or 1 or 0; "floats": (count, N) float32, real numbers.
        known: of the same shape, packed, which neurons of packed values are known; none at all, (0, any), for all.
        coding: the caller takes the memory to have; None for whichever it has.
        field: of the request they came in.
    """

    neurons: int
    encoding: Encoding
    values: NDArray[Any]
    known: Bits
    coding: Coding | None
    field: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def row_bytes(self) -> int:
        """Bytes that each of them, and each answer to one of them, takes."""
        return self.values.nbytes // max(1, len(self.values))

    def part(self, start: int, end: int) -> "Block":
        """Some of them."""
        values, known = self.values[start:end], self.known[start:end]
        return Block(self.neurons, self.encoding, values, known, self.coding, self.field)

    def queries(self, coding: Coding) -> Queries:
        """Them as a memory of this coding is asked."""
        if self.encoding == "bits":
            return Queries(self.values, self.known)
        if self.encoding == "signs" and coding is Coding.BINARY:
            return Queries(pack(self.values), self.known)
        return Queries.of(self.values)

    def stored(self, spec: PatternSpec) -> Bits:
        """All patterns, packed, as a memory of this spec keeps them.

        Raises:
            InvalidField: a neuron is unknown.
        """
        if len(self.known):
            raise InvalidField(f"{self.field}.known", "must be empty: a stored pattern is known in every neuron")
        if self.encoding == "bits":
            return self.values
        if spec.coding is Coding.BIPOLAR:
            self._refuse(self.values == 0, "must be 1 or -1 in a stored pattern")
        return spec.packed(self.values)

    def check(self, name: str, network: PatternNetwork) -> None:
        """Refuses patterns of another length, or of another coding, than those of a memory.

        Raises:
            InvalidField: they are.
        """
        neurons, coding = network.spec.neurons, network.spec.coding
        if self.neurons != neurons:
            raise InvalidField(f"{self.field}.neurons", f"must be {neurons}, as memory {name!r} has; is {self.neurons}")
        if self.coding is not None and self.coding is not coding:
            raise InvalidField(
                f"{self.field}.coding", f"must be CODING_{coding.name}, as memory {name!r} has", coding=coding.name
            )
        if (self.encoding == "floats") is not (coding is Coding.REAL) and len(self):
            encoding = "floats" if coding is Coding.REAL else "bits or signs"
            raise InvalidField(
                self.field,
                f"must have its values in {encoding}, as memory {name!r} has coding {coding.name}",
                coding=coding.name,
            )
        if self.encoding == "signs" and coding is Coding.BINARY:
            self._refuse(self.values < 0, f"must be 1 or 0, as memory {name!r} has binary coding")

    def _refuse(self, wrong: NDArray[np.bool_], rule: str) -> None:
        if wrong.any():
            k, i = divmod(int(wrong.argmax()), self.neurons)
            raise InvalidField(f"{self.field}.signs", f"{rule}; pattern {k} has {self.values[k, i]} at neuron {i}")


def check_name(name: str, field: str = "name") -> None:
    """Refuses a name that no memory can have.

    Raises:
        InvalidField: it is one.
    """
    if not _NAME.fullmatch(name):
        raise InvalidField(
            field,
            "must be 1 to 128 lowercase letters, digits, dots, underscores and hyphens, and begin with a letter or digit; "
            f"{shown(name)} has {len(name)} characters",
        )


def holding_patterns(name: str, network: Network) -> PatternNetwork:
    """The network of a memory, as one that holds patterns.

    Raises:
        WrongFamily: it holds none.
    """
    if not isinstance(network, PatternNetwork):
        raise WrongFamily(name, network.spec.family, "holds no patterns")
    return network


def check_labels(labels: Sequence[str], interruption: Interruption) -> None:
    """Refuses labels that no patterns can have.

    Raises:
        InvalidField: one is empty, too long, holds control characters, or comes twice.
        Interrupted: `interruption` said so.
    """
    seen: set[str] = set()
    for k, label in enumerate(labels):
        if k % PIECE == 0:
            check(interruption)
        if not 1 <= len(label) <= _LABEL_LENGTH or _CONTROL.search(label):
            raise InvalidField(
                f"labels[{k}]",
                f"must be 1 to {_LABEL_LENGTH} characters, no control characters; {shown(label)} has {len(label)}",
            )
        if label in seen:
            raise InvalidField(f"labels[{k}]", f"must be given once: {shown(label)} is a duplicate")
        seen.add(label)


def check_order(order: Order | NDArray[np.int64], neurons: int) -> None:
    """Refuses an explicit order that does not visit every neuron exactly once.

    Raises:
        InvalidField: it does not.
    """
    if isinstance(order, Order):
        return
    if len(order) != neurons or np.any(np.sort(order) != np.arange(neurons)):
        raise InvalidField("options.explicit_order", f"must hold each of 0 to {neurons - 1} exactly once")


def make_symmetric(weights: NDArray[np.float64], interruption: Interruption) -> None:
    """Makes a matrix that is symmetric up to rounding exactly so, in place, by the mean of its halves.

    Args:
        weights: (N, N) float64, which is left half done where an error is raised.
        interruption: asked between blocks of rows.

    Raises:
        InvalidField: it is not finite, or not symmetric to 1e-9 of its largest entry.
        Interrupted: `interruption` said so.
    """
    neurons = len(weights)
    largest = 0.0
    for rows in _slices(neurons):
        check(interruption)
        block = weights[rows]
        infinite = ~np.isfinite(block)
        if infinite.any():
            i, j = divmod(int(infinite.argmax()), neurons)
            raise InvalidField("rows", f"must be finite; weight ({rows.start + i}, {j}) is {block[i, j]}")
        largest = max(largest, float(np.abs(block).max()))
    if largest * neurons**2 > np.finfo(np.float64).max / 4:
        raise InvalidField(
            "rows", f"must be small enough for an energy to be finite; the largest weight is {largest:g}"
        )
    for rows in _slices(neurons):
        check(interruption)
        for columns in _slices(neurons):
            if columns.start < rows.start:
                continue
            upper, lower = weights[rows, columns], weights[columns, rows].T
            difference = np.abs(upper - lower)
            if difference.max() > 1e-9 * largest:
                row, column = divmod(int(difference.argmax()), difference.shape[1])
                i, j = rows.start + row, columns.start + column
                raise InvalidField(
                    "rows",
                    f"must be symmetric; weight ({i}, {j}) is {weights[i, j]:g} "
                    f"and weight ({j}, {i}) is {weights[j, i]:g}",
                )
            mean = (upper + lower) / 2
            weights[rows, columns], weights[columns, rows] = mean, mean.T


def _slices(neurons: int) -> list[slice]:
    """Neurons in blocks, a square of which fits into a cache."""
    return [slice(start, min(start + _SQUARE, neurons)) for start in range(0, neurons, _SQUARE)]
