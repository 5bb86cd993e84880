"""What requests take of memory while they are answered: bytes, about, and rather too many than too few.

Measured as the growth of a process that answers one request; see the tests of what calls take.
"""

from typing import Final

from hopfield_service.core.network import PatternNetwork, StoredPatterns
from hopfield_service.core.patterns import Coding
from hopfield_service.core.results import RecallResults
from hopfield_service.errors import InvalidField

ANSWER_BYTES: Final = 64 << 20
"""Bytes of one message of an answer, at most: a larger one would be built, written and sent while others wait."""

# An answer as arrays, as lists, in a message, and as it is sent.
_COPIES = 4
# Of the numbers of one recall, in lists and in a message; of a label or a weight that is named beside; and on the wire.
_RECALL = 320
_NAMED = 100
_RECALL_ON_WIRE = 24
_NAMED_ON_WIRE = 12
# Patterns with the largest softmax weights that a modern memory names.
_ATTENDED = 8
# A message of a stream whose answer is as large as the server likes: some blocks of about a mebibyte.
STREAMED: Final = 4 << 20
# A block of the arrays that a diagnosis is computed with, and how many of them there are at once.
_DIAGNOSED_ENTRIES = 1 << 22
_DIAGNOSED_ARRAYS = 6


def batch(network: PatternNetwork, count: int, row_bytes: int) -> int:
    """Of recalling so many queries, each of whose answers takes so many bytes."""
    label = network.stored.longest_label
    attended = (
        min(_ATTENDED, len(network.stored)) * (_NAMED + _COPIES * label) if network.spec.coding is Coding.REAL else 0
    )
    return count * (_RECALL + _COPIES * (row_bytes + label) + attended)


def check_batch_answer(count: int, row_bytes: int, label_bytes: int = 0) -> None:
    """Refuses a batch whose answer would be too large.

    Args:
        count: of the queries.
        row_bytes: of each answer.
        label_bytes: of all labels together; 0 where they are not known yet.

    Raises:
        InvalidField: it would be.
    """
    size = count * (_RECALL_ON_WIRE + row_bytes) + label_bytes
    if size > ANSWER_BYTES:
        raise InvalidField(
            "queries.count",
            f"must be smaller: the answer may have {ANSWER_BYTES} bytes, and would have {size}",
            limit=ANSWER_BYTES,
            size=size,
        )


def labels_of(stored: StoredPatterns, results: RecallResults) -> int:
    """Bytes of the labels in the answers of a batch."""
    if not len(stored):
        return 0
    attended = 0 if results.attention is None else int(stored.label_sizes[results.attention.positions].sum())
    return attended + int(stored.label_sizes[results.nearest].sum())


def nearest(network: PatternNetwork, queries: int, each: int, row_bytes: int) -> int:
    """Of finding so many patterns for each of some queries, and sending so many bytes of each.

    Raises:
        InvalidField: the answer would be too large.
    """
    labels = network.stored.label_bytes(each)
    size = queries * (each * (_NAMED_ON_WIRE + row_bytes) + labels)
    if size > ANSWER_BYTES:
        raise InvalidField(
            "k", f"must be smaller: the answer may have {ANSWER_BYTES} bytes, and would have up to {size}"
        )
    return _COPIES * size + queries * each * _NAMED


def made(neurons: int) -> int:
    """Of a network that has weights before anything is stored, and of the snapshot of them."""
    return 20 * neurons**2


def load(neurons: int, patterns: int, written: int) -> int:
    """Of loading a network from what was written of it: what was read, the arrays, and the form that recall takes."""
    return 4 * written + 16 * neurons * min(neurons, patterns)


def imported(neurons: int) -> int:
    """Of a matrix of weights from outside: itself, half of it as it is written, and some rows."""
    return 12 * neurons**2 + STREAMED


def diagnosis(neurons: int, patterns: int) -> int:
    """Of looking at all weights and all patterns, in blocks."""
    return neurons * neurons * 8 + 8 * _DIAGNOSED_ARRAYS * min(_DIAGNOSED_ENTRIES, neurons * max(neurons, patterns))
