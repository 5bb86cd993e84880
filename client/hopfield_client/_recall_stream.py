"""Recalls in a stream: queries packed into blocks, answers unpacked, without I/O; both clients drive it."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import recall_service_pb2
from hopfield_client import _answers
from hopfield_client._calls import LEAST_MESSAGE_BYTES
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._freshness import Freshness
from hopfield_client._patterns import Packed, as_array, holds_real_numbers, pack_queries, pack_query
from hopfield_client._results import Recall
from hopfield_client._types import Coding

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

    `expect` and `add` each query, then the `rest`; send what they give, `take` the answers, then `finish`. A query that
    cannot be sent, and a source of queries that fails, end the stream only after every query before them is answered.

    Attributes:
        in_flight: blocks sent and not answered yet.
        has_failed: whether no further query is to be asked for.
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
        # What `finish` raises: what is wrong with the query after the last one sent, or what the source raised.
        self._failure: Exception | None = None
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

    @property
    def has_failed(self) -> bool:
        """Whether no further query is to be asked for."""
        return self._failure is not None

    def fail(self, error: Exception) -> None:
        """Keeps what is raised once every query so far is answered. The first failure counts."""
        self._failure = self._failure or error

    def add(self, query: ArrayLike) -> Iterator[Request]:
        """Takes the next query; gives what there is to be sent now."""
        try:
            array = self._array(query)
        except InvalidArgument as error:
            self.fail(error)
            return
        kind = (array.shape, array.dtype, type(array))
        if self._block and kind != self._kind:
            yield from self.rest()
            if self.has_failed:
                return
        self._kind = kind
        # A copy: the source may write the next query to the same memory.
        self._block.append(array.copy())
        self._slow = monotonic() - self._expected > _SLOW
        is_full = (len(self._block) + 1) * _bytes_of(array) > self._room
        if self._slow or is_full or len(self._block) >= _BLOCK_QUERIES:
            yield from self.rest()

    def _array(self, query: ArrayLike) -> NDArray[Any]:
        argument = self._argument(len(self._block))
        array = as_array(query, argument, self._coding)
        if not array.ndim:
            raise InvalidArgument(f"{argument} is a single value; it must be an array of N values", field=argument)
        return array

    def rest(self) -> Iterator[Request]:
        """What is to be sent when no query follows."""
        block, self._block = self._block, []
        packed = self._packed(block) if block else None
        if packed is None:
            return
        self._packed_before += len(block)
        request, self._opening = self._opening or Request(), None
        self._room = _BLOCK_BYTES
        request.queries.CopyFrom(packed.message)
        token = self._freshness.token(self._name)
        if token is not None:
            request.token.CopyFrom(token)
        self._asked.append((packed, self._freshness.watch(self._name)))
        yield request

    def _packed(self, block: list[NDArray[Any]]) -> Packed | None:
        """The queries of a block up to the first that cannot be sent; None where that is the first of all."""
        try:
            return self._pack(block)
        except InvalidArgument as error:
            failure = error
        # Bisection: the first `good` queries can be sent together, the first `bad` cannot.
        good, bad = 0, len(block)
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                self._pack(block[:middle])
            except InvalidArgument as error:
                bad, failure = middle, error
            else:
                good = middle
        self.fail(self._wrong_with(block, good) or failure)
        return self._pack(block[:good]) if good else None

    def _pack(self, block: list[NDArray[Any]]) -> Packed:
        queries = _stacked(block)
        return pack_queries(
            queries,
            argument=f"queries[{self._packed_before}:]",
            neurons=self._neurons,
            coding=self._coding or _told_by(queries),
        )

    def _wrong_with(self, block: list[NDArray[Any]], position: int) -> InvalidArgument | None:
        """What is wrong with one query; None where it is so only beside others of its block."""
        coding = self._coding or _told_by(_stacked(block[: position + 1]))
        argument = self._argument(position)
        try:
            pack_query(block[position], argument=argument, neurons=self._neurons, coding=coding)
        except InvalidArgument as error:
            return error
        return None

    def _argument(self, position: int) -> str:
        """What the caller would write for this query of the block."""
        return f"queries[{self._packed_before + position}]"

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

    def finish(self) -> None:
        """To be called when every query sent is answered.

        Raises:
            InvalidArgument: the next query could not be sent.
            Exception: what the source of the queries raised instead of the next one.
        """
        if self._failure is not None:
            raise self._failure

    def broken_off(self) -> DataLoss:
        """What to raise when the stream ends and answers are missing."""
        missing = sum(queries.message.count for queries, _ in self._asked)
        return DataLoss(f"the stream broke off before the answers to {missing} queries")


def each(queries: Iterable[ArrayLike], call: RecallStreamCall) -> Iterator[ArrayLike]:
    """The queries, until the call or their source fails."""
    try:
        for query in _rows_of(queries):
            yield query
            if call.has_failed:
                return
    except Exception as error:  # noqa: BLE001  # the caller's own iterable may raise anything; `finish` raises it again
        call.fail(error)


async def each_of_async(
    queries: Iterable[ArrayLike] | AsyncIterable[ArrayLike], call: RecallStreamCall
) -> AsyncIterator[ArrayLike]:
    """As `each`, also of queries that come asynchronously."""
    if not isinstance(queries, AsyncIterable):
        for query in each(queries, call):
            yield query
        return
    try:
        async for query in queries:
            yield query
            if call.has_failed:
                return
    except Exception as error:  # noqa: BLE001  # as in `each`
        call.fail(error)


def _rows_of(queries: Iterable[ArrayLike]) -> Iterable[ArrayLike]:
    """The queries one by one, also of tables, whose own iteration goes over columns or keys."""
    if isinstance(queries, Mapping):
        raise InvalidArgument(
            "queries is a mapping, which iterates over its keys: pass queries.values()", field="queries"
        )
    if hasattr(queries, "__array__") and not isinstance(queries, np.ndarray):
        rows: NDArray[Any] = np.asarray(queries)
        return rows
    return queries


def _stacked(block: list[NDArray[Any]]) -> NDArray[Any]:
    return np.ma.stack(block) if isinstance(block[0], np.ma.MaskedArray) else np.stack(block)


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
