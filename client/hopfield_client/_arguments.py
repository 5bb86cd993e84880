"""What the caller passes beside patterns, checked before anything is sent; and the words for the enums of the wire."""

import math
import operator
from collections.abc import Container, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_pb2, recall_service_pb2
from hopfield_client._errors import InvalidArgument
from hopfield_client._types import TieRule, UpdateRule

UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1


def _words_of(enum: EnumTypeWrapper) -> dict[int, str]:
    """The word for each number: LEARNING_RULE_PSEUDO_INVERSE is "pseudo_inverse"."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return {number: name.removeprefix(prefix).lower() for name, number in enum.items() if number}


RULES = _words_of(memory_pb2.LearningRule)
UPDATES = _words_of(recall_service_pb2.UpdateRule)
STOP_REASONS = _words_of(recall_service_pb2.StopReason)
MATCHES = _words_of(recall_service_pb2.Match)
_ORDERS = _words_of(recall_service_pb2.UpdateOrder)
_TIES = _words_of(recall_service_pb2.TieRule)


def word(words: dict[int, str], number: int) -> str:
    """The word for a number of the wire; "unknown" for one that only a later client knows."""
    return words.get(number, "unknown")


def words_array(words: dict[int, str], numbers: Sequence[int]) -> NDArray[np.str_]:
    """The word for each of many numbers of the wire."""
    beyond = max(words) + 1
    table = np.array([word(words, number) for number in range(beyond + 1)])
    return table[np.minimum(np.fromiter(numbers, np.int64, len(numbers)), beyond)]


def number(words: dict[int, str], value: str, argument: str, *, without: Container[str] = ()) -> Any:
    """The number that a word of the caller's has on the wire.

    Raises:
        InvalidArgument: no such word; the message lists those there are.
    """
    known = {text: code for code, text in words.items() if text not in without}
    # A list or an array compares in ways of its own, and is no word anyway.
    if not isinstance(value, str) or value not in known:
        raise InvalidArgument(
            f"{argument} is {value!r}; it must be one of {', '.join(map(repr, known))}", field=argument
        )
    return known[value]


def integer(value: Any, argument: str, low: int, high: int) -> int:
    """The value as an int.

    Raises:
        InvalidArgument: it is no integer, or not within `low` to `high`.
    """
    try:
        result = operator.index(value)
    except TypeError:
        raise InvalidArgument(f"{argument} is {value!r}; it must be an integer", field=argument) from None
    if not low <= result <= high:
        raise InvalidArgument(f"{argument} is {result}; it must be {low} to {high}", field=argument)
    return result


def shape_of(shape: Sequence[int] | None, neurons: int) -> tuple[int, ...]:
    """The shape of one pattern: the one given, which must have `neurons` elements, or a row.

    Raises:
        InvalidArgument: it has another number of elements.
    """
    if shape is None:
        return (neurons,)
    result = tuple(integer(length, "shape", 1, UINT32_MAX) for length in shape)
    if math.prod(result) != neurons:
        raise InvalidArgument(
            f"shape {result} has {math.prod(result)} elements; the memory has {neurons} neurons", field="shape"
        )
    return result


def labels_of(labels: str | Iterable[str]) -> list[str]:
    """The labels as a list; a single one is a list of one.

    Raises:
        InvalidArgument: one of them is no string.
    """
    result = [labels] if isinstance(labels, str) else list(labels)
    for label in result:
        if not isinstance(label, str):
            raise InvalidArgument(f"the label {label!r} is no string; labels are strings", field="labels")
    return result


def thresholds_of(thresholds: ArrayLike | None, neurons: int) -> list[float]:
    """One number a neuron, in an array of any shape; none at all for None.

    Raises:
        InvalidArgument: they are no real numbers, or not as many as there are neurons.
    """
    if thresholds is None:
        return []
    array = real_numbers(thresholds, "thresholds")
    if array.size != neurons:
        raise InvalidArgument(f"{array.size} thresholds for {neurons} neurons", field="thresholds")
    result: list[float] = array.ravel().tolist()
    return result


def real_numbers(values: ArrayLike, argument: str) -> NDArray[np.float64]:
    """The values as an array of float64.

    Raises:
        InvalidArgument: they are no real numbers or no array.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidArgument(f"{argument} is no array: its rows differ in length", field=argument) from None
    if array.dtype.kind not in "iuf":
        raise InvalidArgument(
            f"{argument} holds values of type {array.dtype}; it must hold real numbers", field=argument
        )
    return array.astype(np.float64, copy=False)


def recall_options(
    *,
    update: UpdateRule,
    order: Literal["random", "sequential"] | Sequence[int],
    seed: int | None,
    max_iterations: int,
    tie: TieRule,
    clamp: bool,
) -> recall_service_pb2.RecallOptions:
    """How a recall is run, as it travels.

    Raises:
        InvalidArgument: an unknown word, or a number out of range.
    """
    options = recall_service_pb2.RecallOptions(
        update=number(UPDATES, update, "update"),
        seed=None if seed is None else integer(seed, "seed", 0, UINT64_MAX),
        max_iterations=integer(max_iterations, "max_iterations", 1, UINT32_MAX),
        tie=number(_TIES, tie, "tie"),
        clamp=clamp,
    )
    if isinstance(order, str):
        # "random" is the default of asynchronous updating, and no other updating takes an order.
        if number(_ORDERS, order, "order", without=("explicit",)) != recall_service_pb2.UPDATE_ORDER_RANDOM:
            options.order = recall_service_pb2.UPDATE_ORDER_SEQUENTIAL
    else:
        options.order = recall_service_pb2.UPDATE_ORDER_EXPLICIT
        options.explicit_order.extend(integer(index, "order", 0, UINT32_MAX) for index in order)
    return options
