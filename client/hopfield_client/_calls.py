"""Requests built and answers read, once, for both clients: everything about a call except sending it."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Generic, Protocol, TypeVar, cast

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2
from hopfield_client import _weights
from hopfield_client._arguments import (
    MATCHES,
    RULES,
    STOP_REASONS,
    UINT32_MAX,
    UINT64_MAX,
    UPDATES,
    integer,
    labels_of,
    number,
    shape_of,
    thresholds_of,
    word,
    words_array,
)
from hopfield_client._errors import Conflict, HopfieldError, InvalidArgument, NotFound, from_rpc_error
from hopfield_client._freshness import Freshness
from hopfield_client._patterns import Packed, pack_queries, pack_query, pack_stored, unpack
from hopfield_client._types import (
    LearningRule,
    Match,
    MemoryInfo,
    Recall,
    RecallBatch,
    ServerInfo,
    StopReason,
    StoredPattern,
)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")
SentT_contra = TypeVar("SentT_contra", contravariant=True)
ReceivedT_co = TypeVar("ReceivedT_co", covariant=True)


class Method(Protocol[SentT_contra, ReceivedT_co]):
    """A method of a stub of either kind; what it returns is the response, or something to await or to iterate over."""

    def __call__(self, request: SentT_contra, /, timeout: float | None = None) -> ReceivedT_co: ...


@dataclass(frozen=True, slots=True)
class Call(Generic[RequestT, ResponseT, AnswerT]):
    """One call: what to send, and how to read what comes back."""

    request: RequestT
    read: Callable[[ResponseT], AnswerT]


@dataclass(frozen=True, slots=True)
class Page(Generic[RequestT, ResponseT, ItemT]):
    """A part of a list, and the call for the part after it."""

    items: list[ItemT]
    following: "PageCall[RequestT, ResponseT, ItemT] | None"


PageCall = Call[RequestT, ResponseT, Page[RequestT, ResponseT, ItemT]]


@dataclass(frozen=True, slots=True)
class StreamCall(Generic[RequestT, ResponseT, AnswerT]):
    """One call that is answered in parts: `take` each, then `finish`."""

    request: RequestT
    take: Callable[[ResponseT], None]
    finish: Callable[[], AnswerT]


class ClientCalls:
    """The calls of a client."""

    def __init__(self, address: str, timeout: float) -> None:
        if not timeout > 0:
            raise InvalidArgument(f"timeout is {timeout}; it must be positive", field="timeout")
        self.address = address
        self.timeout = timeout
        self._freshness = Freshness()

    def error(self, error: grpc.RpcError) -> HopfieldError:
        """The error to raise for one of gRPC's."""
        result = from_rpc_error(error, address=self.address, timeout=self.timeout)
        if result.reason == "REVISION_AHEAD":
            # The storage has lost commits this client saw. That is said once; then go on with what there is, or no
            # call on this memory would ever succeed again.
            self._freshness.drop(result.metadata.get("name", ""))
        return result

    def memory(self, name: str, neurons: int | None = None, shape: tuple[int, ...] | None = None) -> "MemoryCalls":
        """The calls of one memory."""
        return MemoryCalls(name, neurons, shape, self._freshness)

    def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        rule: LearningRule,
        thresholds: ArrayLike | None,
        shape: Sequence[int] | None,
        exist_ok: bool,
    ) -> "Call[memory_service_pb2.CreateMemoryRequest, memory_service_pb2.CreateMemoryResponse, MemoryCalls]":
        neurons = integer(neurons, "neurons", 1, UINT32_MAX)
        pattern_shape = shape_of(shape, neurons)
        spec = memory_pb2.PairwiseSpec(
            neurons=neurons,
            rule=number(RULES, rule, "rule", without=("imported",)),
            thresholds=thresholds_of(thresholds, neurons),
        )
        request = memory_service_pb2.CreateMemoryRequest(
            name=name, spec=memory_pb2.MemorySpec(pairwise=spec), allow_existing=exist_ok, request_id=_request_id()
        )
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.CreateMemoryResponse) -> MemoryCalls:
            note(response.memory.uid, response.memory.revision)
            return self.memory(name, neurons, pattern_shape)

        return Call(request, read)

    def import_weights(
        self, name: str, weights: ArrayLike, thresholds: ArrayLike | None
    ) -> (
        "Call[Iterator[memory_service_pb2.ImportWeightsRequest], memory_service_pb2.ImportWeightsResponse, MemoryCalls]"
    ):
        matrix = _weights.square(weights)
        neurons = len(matrix)
        header = memory_service_pb2.ImportWeightsHeader(
            name=name, neurons=neurons, thresholds=thresholds_of(thresholds, neurons), request_id=_request_id()
        )
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.ImportWeightsResponse) -> MemoryCalls:
            note(response.memory.uid, response.memory.revision)
            return self.memory(name, neurons, (neurons,))

        return Call(_weights.import_requests(header, matrix), read)

    def list_memories(
        self, prefix: str, page_token: str = ""
    ) -> PageCall[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
        def read(
            response: memory_service_pb2.ListMemoriesResponse,
        ) -> Page[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
            token = response.next_page_token
            return Page(
                [_info(memory) for memory in response.memories], self.list_memories(prefix, token) if token else None
            )

        return Call(memory_service_pb2.ListMemoriesRequest(prefix=prefix, page_token=page_token), read)

    def delete_memory(
        self, name: str, *, missing_ok: bool
    ) -> Call[memory_service_pb2.DeleteMemoryRequest, memory_service_pb2.DeleteMemoryResponse, None]:
        request = memory_service_pb2.DeleteMemoryRequest(name=name, allow_missing=missing_ok, request_id=_request_id())
        return Call(request, lambda _: self._freshness.drop(name))

    def server_info(
        self,
    ) -> Call[server_service_pb2.GetServerInfoRequest, server_service_pb2.GetServerInfoResponse, ServerInfo]:
        def read(response: server_service_pb2.GetServerInfoResponse) -> ServerInfo:
            return ServerInfo(
                version=response.version,
                max_neurons=response.limits.max_neurons,
                max_patterns=response.limits.max_patterns,
                max_iterations=response.limits.max_iterations,
                max_message_bytes=response.limits.max_message_bytes,
                learning_rules=tuple(word(RULES, rule) for rule in response.learning_rules),
                update_rules=tuple(word(UPDATES, update) for update in response.update_rules),
            )

        return Call(server_service_pb2.GetServerInfoRequest(), read)


class MemoryCalls:
    """The calls of one memory.

    Args:
        name: its name.
        neurons: N where it is known, to check sizes before anything is sent.
        shape: the shape in which stored patterns are handed back; None where it is not known: as rows.
        freshness: shared by all memories of a client.
    """

    def __init__(self, name: str, neurons: int | None, shape: tuple[int, ...] | None, freshness: Freshness) -> None:
        self.name = name
        self.shape = shape
        self._neurons = neurons
        self._freshness = freshness

    def info(self) -> Call[memory_service_pb2.GetMemoryRequest, memory_service_pb2.GetMemoryResponse, MemoryInfo]:
        return Call(memory_service_pb2.GetMemoryRequest(name=self.name), self._reads_info())

    def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None,
        *,
        replace: bool,
        expected_revision: int | None,
    ) -> Call[memory_service_pb2.StorePatternsRequest, memory_service_pb2.StorePatternsResponse, MemoryInfo]:
        packed = pack_stored(
            patterns, argument="patterns", single=True if isinstance(labels, str) else None, neurons=self._neurons
        )
        texts = [] if labels is None else labels_of(labels)
        if labels is not None and len(texts) != packed.count:
            raise InvalidArgument(f"{len(texts)} labels for {packed.count} patterns", field="labels")
        if expected_revision is not None:
            expected_revision = integer(expected_revision, "expected_revision", 0, UINT64_MAX)
        request = memory_service_pb2.StorePatternsRequest(
            name=self.name,
            patterns=packed,
            labels=texts,
            replace=replace,
            expected_revision=expected_revision,
            request_id=_request_id(),
        )
        return Call(request, self._reads_info())

    def forget(
        self, labels: str | Iterable[str]
    ) -> Call[memory_service_pb2.ForgetPatternsRequest, memory_service_pb2.ForgetPatternsResponse, MemoryInfo]:
        request = memory_service_pb2.ForgetPatternsRequest(
            name=self.name, labels=labels_of(labels), request_id=_request_id()
        )
        return Call(request, self._reads_info())

    def patterns(
        self, page_token: str = ""
    ) -> PageCall[memory_service_pb2.ListPatternsRequest, memory_service_pb2.ListPatternsResponse, StoredPattern]:
        request = memory_service_pb2.ListPatternsRequest(
            name=self.name, page_token=page_token, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(
            response: memory_service_pb2.ListPatternsResponse,
        ) -> Page[memory_service_pb2.ListPatternsRequest, memory_service_pb2.ListPatternsResponse, StoredPattern]:
            note(response.uid, response.revision)
            token = response.next_page_token
            return Page(self._stored(response), self.patterns(token) if token else None)

        return Call(request, read)

    def pattern(
        self, label: str
    ) -> Call[memory_service_pb2.ListPatternsRequest, memory_service_pb2.ListPatternsResponse, NDArray[np.int8]]:
        request = memory_service_pb2.ListPatternsRequest(
            name=self.name, labels=labels_of([label]), token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.ListPatternsResponse) -> NDArray[np.int8]:
            note(response.uid, response.revision)
            stored = dict(self._stored(response))
            if label not in stored:
                raise NotFound(f"no pattern {label!r} is stored in the memory {self.name!r}")
            return stored[label]

        return Call(request, read)

    def recall(
        self, query: ArrayLike, options: recall_service_pb2.RecallOptions
    ) -> Call[recall_service_pb2.RecallRequest, recall_service_pb2.RecallResponse, Recall]:
        packed = pack_query(query, argument="query", neurons=self._neurons)
        request = recall_service_pb2.RecallRequest(
            name=self.name, query=packed.message, options=options, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.RecallResponse) -> Recall:
            note(response.uid, response.revision)
            return Recall(
                pattern=unpack(response.pattern, packed.shape, boolean=packed.boolean),
                energy=response.energy,
                initial_energy=response.initial_energy,
                iterations=response.iterations,
                flips=response.flips,
                stop_reason=cast("StopReason", word(STOP_REASONS, response.stop_reason)),
                label=response.label if response.HasField("label") else None,
                overlap=response.overlap if response.HasField("overlap") else None,
                match=cast("Match", word(MATCHES, response.match)),
                seed=response.seed,
                revision=response.revision,
                uid=response.uid,
            )

        return Call(request, read)

    def recall_batch(
        self, queries: ArrayLike, options: recall_service_pb2.RecallOptions
    ) -> Call[recall_service_pb2.BatchRecallRequest, recall_service_pb2.BatchRecallResponse, RecallBatch]:
        packed = pack_queries(queries, argument="queries", neurons=self._neurons)
        request = recall_service_pb2.BatchRecallRequest(
            name=self.name, queries=packed.message, options=options, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.BatchRecallResponse) -> RecallBatch:
            note(response.uid, response.revision)
            return _batch(response, packed)

        return Call(request, read)

    def weights(
        self,
    ) -> StreamCall[memory_service_pb2.GetWeightsRequest, memory_service_pb2.GetWeightsResponse, NDArray[np.float64]]:
        reader = _weights.WeightsReader()
        note = self._freshness.watch(self.name)

        def finish() -> NDArray[np.float64]:
            header, matrix = reader.finish()
            note(header.uid, header.revision)
            return matrix

        request = memory_service_pb2.GetWeightsRequest(name=self.name, token=self._freshness.token(self.name))
        return StreamCall(request, reader.take, finish)

    def _reads_info(self) -> Callable[[Any], MemoryInfo]:
        """Reads the memory out of any response that has one."""
        note = self._freshness.watch(self.name)

        def read(response: Any) -> MemoryInfo:
            note(response.memory.uid, response.memory.revision)
            return _info(response.memory)

        return read

    def _stored(self, response: memory_service_pb2.ListPatternsResponse) -> list[StoredPattern]:
        neurons = response.patterns.neurons
        if self._neurons is not None and response.labels and neurons != self._neurons:
            raise Conflict(
                f"the memory {self.name!r} was made anew: it has {neurons} neurons now, not {self._neurons}; get a new handle"
            )
        shape = (len(response.labels), *(self.shape or (neurons,)))
        return [
            StoredPattern(label, pattern)
            for label, pattern in zip(response.labels, unpack(response.patterns, shape), strict=True)
        ]


def _request_id() -> str:
    """By which the server recognises a repeat of a change."""
    return uuid.uuid4().hex


def _info(memory: memory_pb2.Memory) -> MemoryInfo:
    pairwise = memory.spec.pairwise
    return MemoryInfo(
        name=memory.name,
        uid=memory.uid,
        neurons=memory.neurons,
        rule=word(RULES, pairwise.rule),
        pattern_count=memory.pattern_count,
        load=memory.load,
        revision=memory.revision,
        created=memory.create_time.ToDatetime(UTC),
        updated=memory.update_time.ToDatetime(UTC),
        thresholds=np.array(pairwise.thresholds) if pairwise.thresholds else None,
    )


def _batch(response: recall_service_pb2.BatchRecallResponse, packed: Packed) -> RecallBatch:
    count = packed.message.count
    nothing_stored = not response.labels
    return RecallBatch(
        patterns=unpack(response.patterns, packed.shape, boolean=packed.boolean),
        energies=np.array(response.energies, np.float64),
        initial_energies=np.array(response.initial_energies, np.float64),
        iterations=np.array(response.iterations, np.uint32),
        flips=np.array(response.flips, np.uint64),
        stop_reasons=words_array(STOP_REASONS, response.stop_reasons),
        labels=np.array([None] * count if nothing_stored else list(response.labels), np.object_),
        overlaps=np.full(count, np.nan) if nothing_stored else np.array(response.overlaps, np.float64),
        matches=words_array(MATCHES, response.matches),
        # Wraps at 2**64, as the server counts.
        seeds=np.uint64(response.seed) + np.arange(count, dtype=np.uint64),
        revision=response.revision,
        uid=response.uid,
    )
