"""A batch of recalls in as few messages as it takes, without I/O; both clients drive it."""

import math

from hopfield.v1 import recall_service_pb2
from hopfield_client import _answers
from hopfield_client._calls import Call, Page, PageCall
from hopfield_client._errors import InvalidArgument
from hopfield_client._freshness import Freshness
from hopfield_client._patterns import Packed, part_of
from hopfield_client._progress import Progress, progress_of
from hopfield_client._results import RecallBatch

# Of one message: what gRPC servers and proxies take unless told otherwise, and what is answered in some megabytes.
_PART_BYTES = 4_000_000
_PART_QUERIES = 1 << 16
# Of a message beside queries and options: the name, the token, and what tells the fields apart.
_HEADER_BYTES = 512
# What the server says of a part for which it has too little memory, or whose answer would be too large.
_SIZES = {"limit", "size"}
# Parts of a batch whose progress is watched.
_WATCHED_PARTS = 100

PartCall = PageCall[recall_service_pb2.BatchRecallRequest, recall_service_pb2.BatchRecallResponse, RecallBatch]
Part = Page[recall_service_pb2.BatchRecallRequest, recall_service_pb2.BatchRecallResponse, RecallBatch]


class RecallBatchCall:
    """A call in parts, one after the other: run what `begin` gives and the calls that follow it, `take` each part, `finish`.

    In place of a part that the server refuses, run what `halved` gives, if anything.

    Attributes:
        size: bytes of all queries and the options.
    """

    def __init__(
        self,
        name: str,
        queries: Packed,
        options: recall_service_pb2.RecallOptions,
        freshness: Freshness,
        progress: bool | Progress,
    ) -> None:
        self._name = name
        self._queries = queries
        self._options = options
        self._freshness = freshness
        self._report = progress_of(progress, "queries")
        self._parts: list[RecallBatch] = []
        self._done = 0
        message = queries.message
        # Of a query; there may be none.
        self._query_bytes = (len(message.bits) + len(message.known) + len(message.floats)) // max(1, message.count)
        self._part_queries = math.ceil(message.count / _WATCHED_PARTS) if progress else _PART_QUERIES
        self._options_bytes = options.ByteSize()
        self.size = message.count * self._query_bytes + self._options_bytes

    def begin(self, message_bytes: int) -> PartCall | None:
        """Gives the call for the first part, to a server that takes messages of so many bytes; None without queries."""
        if not self._queries.message.count:
            return None
        room = min(_PART_BYTES, message_bytes - self._options_bytes - _HEADER_BYTES)
        # What does not fit with a single query is for the server to refuse.
        self._part_queries = min(self._part_queries, _PART_QUERIES, max(1, room // self._query_bytes))
        return self._part(0)

    def halved(self, refused: InvalidArgument) -> PartCall | None:
        """Gives the call for a part of half the queries, in place of the part that the server refused.

        None where a smaller part does not help: the refusal is not about the memory or the answer that the part takes,
        or the part is a single query.
        """
        if refused.reason != "INVALID_FIELD" or refused.field != "queries" or not refused.metadata.keys() >= _SIZES:
            return None
        asked = min(self._part_queries, self._queries.message.count - self._done)
        if asked == 1:
            return None
        # The parts after it are as small: they would be refused too.
        self._part_queries = asked // 2
        return self._part(self._done)

    def _part(self, start: int) -> PartCall:
        count = self._queries.message.count
        end = min(start + self._part_queries, count)
        part = part_of(self._queries, start, end)
        request = recall_service_pb2.BatchRecallRequest(
            name=self._name, queries=part.message, options=self._options, token=self._freshness.token(self._name)
        )
        note = self._freshness.watch(self._name)

        def read(response: recall_service_pb2.BatchRecallResponse) -> Part:
            note(response.uid, response.revision)
            answers = _answers.recall_batch(response, part)
            # The seeds go on where those of this part end, be they given or drawn by the server.
            self._options.seed = (response.seed + end - start) % (1 << 64)
            return Page([answers], self._part(end) if end < count else None)

        return Call(request, read, if_other_coding=part.if_other_coding)

    def take(self, part: RecallBatch) -> None:
        """Keeps the answers to the next part, and reports progress."""
        self._parts.append(part)
        self._done += len(part)
        self._report(self._done, self._queries.message.count)

    def finish(self) -> RecallBatch:
        """The answers to all queries, once every part was taken.

        Raises:
            Conflict: the memory was deleted and made anew between two parts.
        """
        return _answers.joined(self._parts) if self._parts else _answers.no_recalls(self._queries)
