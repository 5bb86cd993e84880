"""The words of callers for the enums of the wire."""

from collections.abc import Container, Sequence
from typing import Any

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from numpy.typing import NDArray

from hopfield.v1 import memory_pb2, patterns_pb2, recall_service_pb2
from hopfield_client._errors import InvalidArgument


def _words_of(enum: EnumTypeWrapper) -> dict[int, str]:
    """The word for each number: LEARNING_RULE_PSEUDO_INVERSE is "pseudo_inverse"."""
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return {number: name.removeprefix(prefix).lower() for name, number in enum.items() if number}


RULES = _words_of(memory_pb2.LearningRule)
NORMALIZATIONS = _words_of(memory_pb2.Normalization)
CODINGS = _words_of(patterns_pb2.Coding)
UPDATES = _words_of(recall_service_pb2.UpdateRule)
ORDERS = _words_of(recall_service_pb2.UpdateOrder)
TIES = _words_of(recall_service_pb2.TieRule)
STOP_REASONS = _words_of(recall_service_pb2.StopReason)
MATCHES = _words_of(recall_service_pb2.Match)


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
