"""The calls of one memory: requests built and answers read, once, for both clients; everything about a call except sending it."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_service_pb2, recall_service_pb2
from hopfield_client import _answers, _weights
from hopfield_client._arguments import UINT32_MAX, UINT64_MAX, flag, integer, labels_of, string
from hopfield_client._calls import Call, Page, PageCall, StreamCall, request_id
from hopfield_client._diagnosis import Diagnosis
from hopfield_client._errors import Conflict, InvalidArgument, NotFound
from hopfield_client._freshness import Freshness
from hopfield_client._models import PatternModel
from hopfield_client._patterns import pack_queries, pack_query, pack_stored, unpack
from hopfield_client._progress import Progress
from hopfield_client._recall_batch import RecallBatchCall
from hopfield_client._recall_stream import RecallStreamCall
from hopfield_client._results import NearestPattern, Recall, StoredPattern
from hopfield_client._spec import changed_spec
from hopfield_client._trace import TraceCall
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, Stored
from hopfield_client._warnings import warn_of


class MemoryCalls:
    """The calls of one memory.

    Args:
        name: its name.
        shape: the shape of a pattern, in which stored ones are handed back and which tells N, so that sizes are checked before
            anything is sent; None where it is not known: rows of any length.
        coding: the coding of the memory, so that values are checked before anything is sent; None where it is not known.
        freshness: shared by all memories of a client.
    """

    def __init__(self, name: str, shape: tuple[int, ...] | None, coding: Coding | None, freshness: Freshness) -> None:
        self.name = name
        self.shape = shape
        self.coding = coding
        self.neurons = None if shape is None else math.prod(shape)
        self._freshness = freshness

    def known(self) -> list[str]:
        """What a handle knows of its memory beside the name, as its `repr` shows it."""
        return [
            f"{name}={value!r}" for name, value in (("shape", self.shape), ("coding", self.coding)) if value is not None
        ]

    def info(self) -> Call[memory_service_pb2.GetMemoryRequest, memory_service_pb2.GetMemoryResponse, MemoryInfo]:
        return Call(memory_service_pb2.GetMemoryRequest(name=self.name), self._reads_info())

    def update(
        self,
        *,
        model: PatternModel | None,
        rule: LearningRule | None,
        normalization: Normalization | None,
        thresholds: ArrayLike | None,
        self_coupling: bool | None,
        kappa: float | None,
        max_sweeps: int | None,
        expected_revision: int | None,
    ) -> Call[memory_service_pb2.UpdateMemoryRequest, memory_service_pb2.UpdateMemoryResponse, MemoryInfo]:
        spec, mask = changed_spec(
            self.neurons,
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            kappa=kappa,
            max_sweeps=max_sweeps,
        )
        request = memory_service_pb2.UpdateMemoryRequest(
            name=self.name,
            spec=spec,
            update_mask=mask,
            expected_revision=_expected(expected_revision),
            request_id=request_id(),
        )
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.UpdateMemoryResponse) -> MemoryInfo:
            note(response.memory.uid, response.memory.revision)
            warn_of(response.warnings)
            return _answers.memory_info(response.memory)

        if_made = "changes nothing" if expected_revision is None else "raises Conflict"
        changed = "model" if model is not None else mask.paths[0].partition(".")[2]
        return Call(request, read, if_made, arguments={"spec": changed})

    def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None,
        *,
        replace: bool,
        expected_revision: int | None,
    ) -> Call[memory_service_pb2.StorePatternsRequest, memory_service_pb2.StorePatternsResponse, Stored]:
        single = isinstance(labels, str)
        packed = pack_stored(patterns, argument="patterns", single=single, neurons=self.neurons, coding=self.coding)
        texts = [] if labels is None else labels_of(labels, of_patterns=True)
        if labels is not None and len(texts) != packed.message.count:
            raise InvalidArgument(f"{len(texts)} labels for {packed.message.count} patterns", field="labels")
        request = memory_service_pb2.StorePatternsRequest(
            name=self.name,
            patterns=packed.message,
            labels=texts,
            replace=flag(replace, "replace"),
            expected_revision=_expected(expected_revision),
            request_id=request_id(),
        )
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.StorePatternsResponse) -> Stored:
            note(response.memory.uid, response.memory.revision)
            warn_of(response.warnings)
            return _answers.stored(response)

        if expected_revision is not None:
            if_made = "raises Conflict"
        elif not texts:
            if_made = "stores the patterns a second time, under labels of their own"
        else:
            if_made = "stores them anew" if replace else "raises AlreadyExists"
        return Call(request, read, if_made, packed.if_other_coding)

    def forget(
        self, labels: str | Iterable[str]
    ) -> Call[memory_service_pb2.ForgetPatternsRequest, memory_service_pb2.ForgetPatternsResponse, MemoryInfo]:
        request = memory_service_pb2.ForgetPatternsRequest(
            name=self.name, labels=labels_of(labels), request_id=request_id()
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
    ) -> Call[memory_service_pb2.ListPatternsRequest, memory_service_pb2.ListPatternsResponse, NDArray[Any]]:
        request = memory_service_pb2.ListPatternsRequest(
            name=self.name, labels=[string(label, "label")], token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.ListPatternsResponse) -> NDArray[Any]:
            note(response.uid, response.revision)
            stored = dict(self._stored(response))
            if label not in stored:
                raise NotFound(f"no pattern {label!r} is stored in the memory {self.name!r}")
            return stored[label]

        return Call(request, read)

    def recall(
        self, query: ArrayLike, options: recall_service_pb2.RecallOptions
    ) -> Call[recall_service_pb2.RecallRequest, recall_service_pb2.RecallResponse, Recall]:
        packed = pack_query(query, argument="query", neurons=self.neurons, coding=self.coding)
        request = recall_service_pb2.RecallRequest(
            name=self.name, query=packed.message, options=options, token=self._freshness.token(self.name)
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.RecallResponse) -> Recall:
            note(response.uid, response.revision)
            return _answers.recall(response, packed)

        return Call(request, read, if_other_coding=packed.if_other_coding)

    def recall_batch(
        self, queries: ArrayLike, options: recall_service_pb2.RecallOptions, progress: bool | Progress
    ) -> RecallBatchCall:
        packed = pack_queries(queries, argument="queries", neurons=self.neurons, coding=self.coding)
        return RecallBatchCall(self.name, packed, options, self._freshness, progress)

    def recall_stream(self, options: recall_service_pb2.RecallOptions) -> RecallStreamCall:
        return RecallStreamCall(self.name, options, self._freshness, neurons=self.neurons, coding=self.coding)

    def nearest(
        self, query: ArrayLike, k: int, *, include_patterns: bool
    ) -> Call[recall_service_pb2.NearestRequest, recall_service_pb2.NearestResponse, list[NearestPattern]]:
        packed = pack_query(query, argument="query", neurons=self.neurons, coding=self.coding)
        request = recall_service_pb2.NearestRequest(
            name=self.name,
            queries=packed.message,
            k=integer(k, "k", 1, UINT32_MAX),
            include_patterns=flag(include_patterns, "include_patterns"),
            token=self._freshness.token(self.name),
        )
        note = self._freshness.watch(self.name)

        def read(response: recall_service_pb2.NearestResponse) -> list[NearestPattern]:
            note(response.uid, response.revision)
            return _answers.nearest(response, packed)

        return Call(request, read, if_other_coding=packed.if_other_coding, arguments={"queries": "query"})

    def trace(self, query: ArrayLike, options: recall_service_pb2.RecallOptions) -> TraceCall:
        packed = pack_query(query, argument="query", neurons=self.neurons, coding=self.coding)
        request = recall_service_pb2.TraceRecallRequest(
            name=self.name, query=packed.message, options=options, token=self._freshness.token(self.name)
        )
        return TraceCall(request, packed, self._freshness.watch(self.name))

    def diagnose(
        self,
    ) -> Call[memory_service_pb2.DiagnoseMemoryRequest, memory_service_pb2.DiagnoseMemoryResponse, Diagnosis]:
        request = memory_service_pb2.DiagnoseMemoryRequest(name=self.name, token=self._freshness.token(self.name))
        note = self._freshness.watch(self.name)

        def read(response: memory_service_pb2.DiagnoseMemoryResponse) -> Diagnosis:
            note(response.uid, response.revision)
            return _answers.diagnosis(response)

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
        return StreamCall(request, reader.take, finish, reader.restart)

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


def _expected(revision: int | None) -> int | None:
    return None if revision is None else integer(revision, "expected_revision", 0, UINT64_MAX)
