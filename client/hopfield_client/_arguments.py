"""What the caller passes beside patterns, checked before anything is sent; and the words for the enums of the wire."""

import math
import numbers
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
        InvalidArgument: it is no integer (True and False are none here), or not within `low` to `high`.
    """
    try:
        result = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        result = None
    if result is None:
        raise InvalidArgument(f"{argument} is {value!r}; it must be an integer", field=argument)
    if result < low:
        raise InvalidArgument(f"{argument} is {result}; it must be at least {low}", field=argument)
    if result > high:
        raise InvalidArgument(f"{argument} is {result}; it must be at most {high}", field=argument)
    return result


def real_number(value: Any, argument: str) -> float:
    """The value as a float.

    Raises:
        InvalidArgument: it is no real number (True and False are none here).
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidArgument(f"{argument} is {value!r}; it must be a number", field=argument)
    return float(value)


def flag(value: Any, argument: str) -> bool:
    """The value as a bool.

    Raises:
        InvalidArgument: it is neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{argument} is {value!r}; it must be True or False", field=argument)
    return bool(value)


def string(value: Any, argument: str) -> str:
    """The value, if it is a string that can be sent.

    Raises:
        InvalidArgument: it is no string, or holds half a character (a lone surrogate).
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{argument} is {value!r}; it must be a string", field=argument)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{argument} is {value!r}, which UTF-8 cannot encode", field=argument) from None
    return value


def shape_of(shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of one pattern; a single length is a shape of one axis, as in numpy.

    Raises:
        InvalidArgument: it is neither an integer nor a sequence of them, or makes too many neurons.
    """
    try:
        lengths = list(shape) if np.iterable(shape) else [shape]
        result = tuple(integer(length, "shape", 1, UINT32_MAX) for length in lengths)
    except InvalidArgument:
        raise InvalidArgument(
            f"shape is {shape!r}; it must be a length, or a sequence of them, each an integer of at least 1",
            field="shape",
        ) from None
    integer(math.prod(result), "shape", 1, UINT32_MAX)
    return result


def labels_of(labels: str | Iterable[str]) -> list[str]:
    """The labels as a list; a single one is a list of one.

    Raises:
        InvalidArgument: they are no strings.
    """
    if isinstance(labels, str):
        return [string(labels, "labels")]
    if not np.iterable(labels):
        raise InvalidArgument(f"labels is {labels!r}; it must be a string, or strings in a row", field="labels")
    return [string(label, f"labels[{k}]") for k, label in enumerate(labels)]


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
        InvalidArgument: they are no real numbers or no array, or some are masked.
    """
    if np.ma.is_masked(values):
        raise InvalidArgument(f"{argument} holds masked values; every value must be known", field=argument)
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
        clamp=flag(clamp, "clamp"),
    )
    if isinstance(order, str):
        chosen = number(_ORDERS, order, "order", without=("explicit",))
        # The default of asynchronous updating, and no other updating takes an order: not sent.
        if chosen == recall_service_pb2.UPDATE_ORDER_RANDOM:
            return options
        options.order = chosen
    else:
        options.order = recall_service_pb2.UPDATE_ORDER_EXPLICIT
        options.explicit_order.extend(_indices(order))
    if update != "asynchronous":
        raise InvalidArgument(
            f"order is for update='asynchronous'; with update={update!r} all neurons are updated at once", field="order"
        )
    return options


def _indices(order: Sequence[int]) -> list[int]:
    """The neurons in the order given; whether each is there once the server checks, which knows how many there are."""
    try:
        array = np.asarray(order)
    except ValueError:  # its rows differ in length
        array = np.empty(())
    if array.ndim != 1:
        raise InvalidArgument(
            f"order is {order!r}; it must be 'random', 'sequential', or every neuron index once", field="order"
        )
    if array.size and array.dtype.kind not in "iu":
        raise InvalidArgument(
            f"order must hold integers, every neuron index once; it holds values of type {array.dtype}", field="order"
        )
    if array.size and not 0 <= array.min() <= array.max() <= UINT32_MAX:
        wrong = array[(array < 0) | (array > UINT32_MAX)][0]
        raise InvalidArgument(f"order holds {wrong}, which is no neuron index", field="order")
    result: list[int] = array.tolist()
    return result
