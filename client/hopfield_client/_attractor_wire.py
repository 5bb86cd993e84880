"""Rates, phases and lattices as they travel."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import attractor_service_pb2, patterns_pb2
from hopfield_client._arguments import real_number, real_numbers
from hopfield_client._errors import DataLoss, InvalidArgument


def two(values: ArrayLike, argument: str) -> tuple[float, float]:
    """Two finite numbers.

    Raises:
        InvalidArgument: they are none, or not two.
    """
    array = real_numbers(values, argument)
    if array.size != 2 or not np.isfinite(array).all():
        raise InvalidArgument(f"{argument} is {values!r}; it must be two finite numbers", field=argument)
    first, second = array.ravel().tolist()
    return first, second


def phase_of(message: attractor_service_pb2.Phase) -> NDArray[np.float64]:
    """A phase of the wire as an array, (2,)."""
    return np.array([message.first, message.second])


def lattice_of(message: attractor_service_pb2.Lattice) -> NDArray[np.float64]:
    """A lattice of the wire as an array, (2, 2)."""
    return np.array([[message.first_x, message.first_y], [message.second_x, message.second_y]])


def image_of(message: patterns_pb2.Patterns) -> NDArray[np.float32]:
    """The rates of one state of a sheet as an image, (n, n).

    Raises:
        DataLoss: they are no square.
    """
    side = math.isqrt(message.neurons)
    if side**2 != message.neurons:
        raise DataLoss("the rates do not arrive as the server announced them")
    return rates_of(message, 1).reshape(side, side)


def finite(value: Any, argument: str) -> float:
    """The value as a finite float.

    Raises:
        InvalidArgument: it is none.
    """
    result = real_number(value, argument)
    if not math.isfinite(result):
        raise InvalidArgument(f"{argument} is {result}; it must be finite", field=argument)
    return result


def rates_message(rates: ArrayLike, argument: str) -> patterns_pb2.Patterns:
    """The rates of one state as they travel, whatever their shape.

    Raises:
        InvalidArgument: they are no real numbers.
    """
    array = real_numbers(rates, argument).astype("<f4").ravel()
    return patterns_pb2.Patterns(count=1, neurons=len(array), floats=array.tobytes())


def rates_of(message: patterns_pb2.Patterns, count: int) -> NDArray[np.float32]:
    """The rates in an answer, (count, N).

    Raises:
        DataLoss: they are not so many.
    """
    if message.count != count or len(message.floats) != 4 * count * message.neurons:
        raise DataLoss("the rates do not arrive as the server announced them")
    return np.frombuffer(message.floats, "<f4").reshape(count, message.neurons).astype(np.float32)
