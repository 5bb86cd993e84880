"""Requests built and answers read, once, for both clients: everything about a call except sending it."""

import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import grpc
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2
from hopfield_client import _answers, _weights
from hopfield_client._arguments import (
    RULES,
    UINT32_MAX,
    UINT64_MAX,
    flag,
    integer,
    labels_of,
    number,
    shape_of,
    string,
    thresholds_of,
)
from hopfield_client._config import address_of, timeout_of
from hopfield_client._errors import Conflict, HopfieldError, InvalidArgument, NotFound
from hopfield_client._freshness import Freshness
from hopfield_client._patterns import pack_queries, pack_query, pack_stored, unpack
from hopfield_client._rpc_errors import from_rpc_error
from hopfield_client._types import LearningRule, MemoryInfo, Recall, RecallBatch, ServerInfo, Stored, StoredPattern

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
    """One call: what to send, and how to read what comes back.

    `if_made` says of a change what repeating the call does, should the change have been made although no answer came.
    """

    request: RequestT
    read: Callable[[ResponseT], AnswerT]
    if_made: str = ""


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
        self.address = address_of(address)
        self._timeout = timeout_of(timeout)
        self._freshness = Freshness()

    def timeout(self, of_call: float | None) -> float:
        """The seconds a call may take: those given with it, or else the client's."""
        return self._timeout if of_call is None else timeout_of(of_call)

    def error(self, error: grpc.RpcError, timeout: float, if_made: str = "") -> HopfieldError:
        """The error to raise for one of gRPC's."""
        result = from_rpc_error(error, address=self.address, timeout=timeout, if_made=if_made)
        if result.reason == "REVISION_AHEAD":
            # The storage has lost commits this client saw. That is said once; then go on with what there is, or no
            # call on this memory would ever succeed again.
            self._freshness.drop(result.metadata.get("name", ""))
        return result

    def memory(self, name: str, shape: int | Sequence[int] | None = None) -> "MemoryCalls":
        """The calls of one memory."""
        return MemoryCalls(string(name, "name"), None if shape is None else shape_of(shape), self._freshness)

    def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        rule: LearningRule,
        thresholds: ArrayLike | None,
        shape: int | Sequence[int] | None,
        exist_ok: bool,
    ) -> "Call[memory_service_pb2.CreateMemoryRequest, memory_service_pb2.CreateMemoryResponse, MemoryCalls]":
        neurons = integer(neurons, "neurons", 1, UINT32_MAX)
        memory = self.memory(name, neurons if shape is None else shape)
        if memory.neurons != neurons:
            raise InvalidArgument(
                f"shape {memory.shape} has {memory.neurons} elements; the memory has {neurons} neurons", field="shape"
            )
        spec = memory_pb2.PairwiseSpec(
            neurons=neurons,
            rule=number(RULES, rule, "rule", without=("imported",)),
            thresholds=thresholds_of(thresholds, neurons),
        )
        request = memory_service_pb2.CreateMemoryRequest(
            name=name,
            spec=memory_pb2.MemorySpec(pairwise=spec),
            allow_existing=flag(exist_ok, "exist_ok"),
            request_id=_request_id(),
        )
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.CreateMemoryResponse) -> MemoryCalls:
            note(response.memory.uid, response.memory.revision)
            return memory

        return Call(request, read, "finds the memory that was made" if exist_ok else "raises AlreadyExists")

    def import_weights(
        self, name: str, weights: ArrayLike, thresholds: ArrayLike | None
    ) -> (
        "Call[Iterator[memory_service_pb2.ImportWeightsRequest], memory_service_pb2.ImportWeightsResponse, MemoryCalls]"
    ):
        matrix = _weights.square(weights)
        neurons = len(matrix)
        memory = self.memory(name, neurons)
        header = memory_service_pb2.ImportWeightsHeader(
            name=name, neurons=neurons, thresholds=thresholds_of(thresholds, neurons), request_id=_request_id()
        )
        note = self._freshness.watch(name)

        def read(response: memory_service_pb2.ImportWeightsResponse) -> MemoryCalls:
            note(response.memory.uid, response.memory.revision)
            return memory

        return Call(_weights.import_requests(header, matrix), read, "raises AlreadyExists")

    def list_memories(
        self, prefix: str, page_token: str = ""
    ) -> PageCall[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
        def read(
            response: memory_service_pb2.ListMemoriesResponse,
        ) -> Page[memory_service_pb2.ListMemoriesRequest, memory_service_pb2.ListMemoriesResponse, MemoryInfo]:
            token = response.next_page_token
            return Page(
                [_answers.memory_info(memory) for memory in response.memories],
                self.list_memories(prefix, token) if token else None,
            )

        request = memory_service_pb2.ListMemoriesRequest(prefix=string(prefix, "prefix"), page_token=page_token)
        return Call(request, read)

    def delete_memory(
        self, name: str, *, missing_ok: bool
    ) -> Call[memory_service_pb2.DeleteMemoryRequest, memory_service_pb2.DeleteMemoryResponse, None]:
        request = memory_service_pb2.DeleteMemoryRequest(
            name=string(name, "name"), allow_missing=flag(missing_ok, "missing_ok"), request_id=_request_id()
        )
        if_made = "changes nothing" if missing_ok else "raises NotFound"
        return Call(request, lambda _: self._freshness.drop(name), if_made)

    def server_info(
        self,
    ) -> Call[server_service_pb2.GetServerInfoRequest, server_service_pb2.GetServerInfoResponse, ServerInfo]:
        return Call(server_service_pb2.GetServerInfoRequest(), _answers.server_info)


class MemoryCalls:
    """The calls of one memory.

    Args:
        name: its name.
        shape: the shape of a pattern, in which stored ones are handed back and which tells N, so that sizes are checked before
            anything is sent; None where it is not known: rows of any length.
        freshness: shared by all memories of a client.
    """

    def __init__(self, name: str, shape: tuple[int, ...] | None, freshness: Freshness) -> None:
        self.name = name
        self.shape = shape
        self.neurons = None if shape is None else math.prod(shape)
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
    ) -> Call[memory_service_pb2.StorePatternsRequest, memory_service_pb2.StorePatternsResponse, Stored]:
        packed = pack_stored(patterns, argument="patterns", single=isinstance(labels, str), neurons=self.neurons)
        texts = [] if labels is None else labels_of(labels)
        if labels is not None and len(texts) != packed.count:
            raise InvalidArgument(f"{len(texts)} labels for {packed.count} patterns", field="labels")
        if expected_revision is not None:
            expected_revision = integer(expected_revision, "expected_revision", 0, UINT64_MAX)
        request = memory_service_pb2.StorePatternsRequest(
            name=self.name,
            patterns=packed,
            labels=texts,
            replace=flag(replace, "replace"),
            expected_revision=expected_revision,
            request_id=_request_id(),
        )
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.StorePatternsResponse) -> Stored:
            note(response.memory.uid, response.memory.revision)
            return _answers.stored(response)

        if expected_revision is not None:
            if_made = "raises Conflict"
        elif not texts:
            if_made = "stores the patterns a second time, under labels of their own"
        else:
            if_made = "stores them anew" if replace else "raises AlreadyExists"
        return Call(request, read, if_made)

    def forget(
        self, labels: str | Iterable[str]
    ) -> Call[memory_service_pb2.ForgetPatternsRequest, memory_service_pb2.ForgetPatternsResponse, MemoryInfo]:
        request = memory_service_pb2.ForgetPatternsRequest(
            name=self.name, labels=labels_of(labels), request_id=_request_id()
        )
        return Call(request, self._reads_info(), "raises NotFound")

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
            name=self.name, labels=[string(label, "label")], token=self._freshness.token(self.name)
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
        packed = pack_query(query, argument="query", neurons=self.neurons)
        request = recall_service_pb2.RecallRequest(
            name=self.name, query=packed.message, options=options, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.RecallResponse) -> Recall:
            note(response.uid, response.revision)
            return _answers.recall(response, packed)

        return Call(request, read)

    def recall_batch(
        self, queries: ArrayLike, options: recall_service_pb2.RecallOptions
    ) -> Call[recall_service_pb2.BatchRecallRequest, recall_service_pb2.BatchRecallResponse, RecallBatch]:
        packed = pack_queries(queries, argument="queries", neurons=self.neurons)
        request = recall_service_pb2.BatchRecallRequest(
            name=self.name, queries=packed.message, options=options, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.BatchRecallResponse) -> RecallBatch:
            note(response.uid, response.revision)
            return _answers.recall_batch(response, packed)

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
            return _answers.memory_info(response.memory)

        return read

    def _stored(self, response: memory_service_pb2.ListPatternsResponse) -> list[StoredPattern]:
        neurons = response.patterns.neurons
        if self.neurons is not None and response.labels and neurons != self.neurons:
            raise Conflict(
                f"the memory {self.name!r} has {neurons} neurons, not {self.neurons} as this handle was told: it was made "
                "anew, or another shape was given for it; get a new handle"
            )
        shape = (len(response.labels), *(self.shape or (neurons,)))
        return [
            StoredPattern(label, pattern)
            for label, pattern in zip(response.labels, unpack(response.patterns, shape), strict=True)
        ]


def _request_id() -> str:
    """By which the server recognises a repeat of a change."""
    return uuid.uuid4().hex
