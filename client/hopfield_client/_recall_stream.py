"""Recalls in a stream: queries packed into blocks, answers unpacked, without I/O; both clients drive it."""

from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import recall_service_pb2
from hopfield_client import _answers
from hopfield_client._calls import LEAST_MESSAGE_BYTES
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._freshness import Freshness
from hopfield_client._patterns import Packed, as_array, holds_real_numbers, pack_queries
from hopfield_client._types import Coding, Recall

# A block holds so many bytes, or so many queries: enough for a message to cost little beside what is in it, few enough for
# the first answers to come soon, and no more than any server takes.
_BLOCK_BYTES = LEAST_MESSAGE_BYTES
_BLOCK_QUERIES = 1 << 10
# Blocks sent and not answered: one on its way there, one recalled, one on its way back, and one in hand.
_IN_FLIGHT = 4
# Seconds after which a query was slow to come: then what there is is sent, and answered, before the next one is waited for.
_SLOW = 0.05

Request = recall_service_pb2.StreamRecallRequest
Response = recall_service_pb2.StreamRecallResponse


class RecallStreamCall:
    """A call that is asked and answered in parts.

    `expect` and `add` each query, then the `rest`; send what they give, and `take` the answers.

    Attributes:
        in_flight: blocks sent and not answered yet.
    """

    def __init__(
        self,
        name: str,
        options: recall_service_pb2.RecallOptions,
        freshness: Freshness,
        *,
        neurons: int | None,
        coding: Coding | None,
    ) -> None:
        """Of a memory, whose `neurons` and `coding` are None where they are not known."""
        self._name = name
        self._opening: Request | None = Request(name=name, options=options)
        # What the first message holds beside queries.
        self._room = _BLOCK_BYTES - self._opening.ByteSize()
        self._neurons = neurons
        self._coding = coding
        self._freshness = freshness
        # The block being filled: arrays of one shape and type.
        self._block: list[NDArray[Any]] = []
        self._kind: tuple[object, ...] = ()
        self._packed_before = 0
        self._expected = monotonic()
        self._slow = False
        # What was sent and is to be answered, in order; and what takes note of the answer.
        self._asked: deque[tuple[Packed, Callable[[str, int], None]]] = deque()

    @property
    def in_flight(self) -> int:
        """Blocks sent and not answered yet."""
        return len(self._asked)

    @property
    def is_full(self) -> bool:
        """Whether an answer is to be taken before the next query is added: too much is in flight, or there is time for it."""
        return self.in_flight >= _IN_FLIGHT or (self._slow and self.in_flight > 0)

    @property
    def if_other_coding(self) -> str:
        """As `Call.if_other_coding`, of the block that is answered next."""
        return self._asked[0][0].if_other_coding if self._asked else ""

    def expect(self) -> None:
        """To be called when the next query is asked for: only so it is known whether it was slow to come."""
        self._expected = monotonic()

    def add(self, query: ArrayLike) -> Iterator[Request]:
        """Takes the next query; gives what there is to be sent now.

        Raises:
            InvalidArgument: as `pack_query`, of any query of the block.
        """
        array = as_array(query, self._argument(len(self._block)), self._coding)
        kind = (array.shape, array.dtype, type(array))
        if self._block and kind != self._kind:
            yield self._request()
        self._kind = kind
        self._block.append(array)
        self._slow = monotonic() - self._expected > _SLOW
        is_full = (len(self._block) + 1) * _bytes_of(array) > self._room
        if self._slow or is_full or len(self._block) >= _BLOCK_QUERIES:
            yield self._request()

    def rest(self) -> Iterator[Request]:
        """What is to be sent when no query follows. Errors: as `add`."""
        if self._block:
            yield self._request()

    def _request(self) -> Request:
        argument, block = self._argument(0), self._block
        self._packed_before += len(block)
        self._block = []
        if not block[0].ndim:
            raise InvalidArgument(f"{argument} are single values: each query must be an array of N", field="queries")
        queries = np.ma.stack(block) if isinstance(block[0], np.ma.MaskedArray) else np.stack(block)
        packed = pack_queries(
            queries, argument=argument, neurons=self._neurons, coding=self._coding or _told_by(queries)
        )
        request, self._opening = self._opening or Request(), None
        self._room = _BLOCK_BYTES
        request.queries.CopyFrom(packed.message)
        token = self._freshness.token(self._name)
        if token is not None:
            request.token.CopyFrom(token)
        self._asked.append((packed, self._freshness.watch(self._name)))
        return request

    def _argument(self, position: int) -> str:
        """What the caller would write for the queries from this one of the block on."""
        first = self._packed_before + position
        return f"queries[{first}:]" if first else "queries"

    def take(self, response: Response) -> list[Recall]:
        """The answers to the next block, one a query.

        Raises:
            DataLoss: its columns do not fit together, or nothing was asked.
        """
        if not self._asked:
            raise DataLoss("the stream has more answers than questions")
        queries, note = self._asked.popleft()
        answers = _answers.recalls(response.block, queries)
        note(response.block.uid, response.block.revision)
        return answers

    def broken_off(self) -> DataLoss:
        """What to raise when the stream ends and answers are missing."""
        missing = sum(queries.message.count for queries, _ in self._asked)
        return DataLoss(f"the stream broke off before the answers to {missing} queries")


def _bytes_of(query: NDArray[Any]) -> int:
    """The bytes that a query takes in a message, at most."""
    if holds_real_numbers(query, None):
        return 4 * query.size
    # A bit says the state of a neuron, another whether it is known.
    return (1 if query.dtype == np.bool_ and not isinstance(query, np.ma.MaskedArray) else 2) * ((query.size + 7) // 8)


def _told_by(queries: NDArray[Any]) -> Coding | None:
    """The coding that a -1 among the queries tells: then each of them is held to it, however the stream is cut into blocks."""
    if holds_real_numbers(queries, None):
        return None
    return "bipolar" if queries.dtype != np.bool_ and bool((queries == -1).any()) else None
