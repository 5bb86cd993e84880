"""The three services: convert, call, convert."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple

import grpc
import numpy as np

from hopfield.v1 import (
    memory_pb2,
    memory_service_pb2,
    memory_service_pb2_grpc,
    patterns_pb2,
    recall_service_pb2,
    recall_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from hopfield_service.core.dynamics import RecallOptions
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import convert
from hopfield_service.rpc.streaming import answered_in_order
from hopfield_service.serving.checks import check_name
from hopfield_service.serving.memories import Memories, Recalled, weight_rows

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_LABELS = 1000
# Bytes of a page of memories, at most about: a client that was told nothing takes four times as many.
_PAGE_BYTES = 1 << 20
_TOKEN_LENGTH = 1000
# Blocks of a stream that are taken in and not answered yet; see the .proto.
_BLOCKS_AHEAD = 4
# Bytes of a message that takes about a millisecond to convert.
_LARGE = 1 << 18
# Answers that take as long.
_MANY_ANSWERS = 1 << 11

Rest = TypeVarTuple("Rest")
Result = TypeVar("Result")


class MemoryServicer(memory_service_pb2_grpc.MemoryServiceServicer):
    """hopfield.v1.MemoryService."""

    def __init__(self, memories: Memories, max_neurons: int) -> None:
        self._memories = memories
        self._max_neurons = max_neurons

    async def CreateMemory(
        self, request: memory_service_pb2.CreateMemoryRequest, context: Context
    ) -> memory_service_pb2.CreateMemoryResponse:
        """See the .proto."""
        identity = await _converted(request, convert.request_in)
        spec = await _converted(request.spec, convert.spec_in)
        head = await self._memories.create(request.name, spec, request.allow_existing, identity)
        return memory_service_pb2.CreateMemoryResponse(memory=convert.memory_out(head))

    async def GetMemory(
        self, request: memory_service_pb2.GetMemoryRequest, context: Context
    ) -> memory_service_pb2.GetMemoryResponse:
        """See the .proto."""
        head = await self._memories.get(request.name)
        return memory_service_pb2.GetMemoryResponse(memory=convert.memory_out(head))

    async def ListMemories(
        self, request: memory_service_pb2.ListMemoriesRequest, context: Context
    ) -> memory_service_pb2.ListMemoriesResponse:
        """See the .proto."""
        count = convert.page_size_in(request.page_size)
        after = _read_page_token(request.page_token, str) if request.page_token else ""
        if after and not after.startswith(request.prefix):
            raise InvalidField("page_token", "must come from a page with the same prefix")
        heads, following = await self._memories.list(request.prefix, after, count)
        page = memory_service_pb2.ListMemoriesResponse()
        size = 0
        for head in heads:
            if size >= _PAGE_BYTES:
                following = page.memories[-1].name
                break
            page.memories.append(convert.memory_out(head))
            size += page.memories[-1].ByteSize()
        page.next_page_token = _page_token(following) if following else ""
        return page

    async def UpdateMemory(
        self, request: memory_service_pb2.UpdateMemoryRequest, context: Context
    ) -> memory_service_pb2.UpdateMemoryResponse:
        """See the .proto."""
        identity = await _converted(request, convert.request_in)
        family, changes = await _converted(request, convert.changes_in)
        expected = request.expected_revision if request.HasField("expected_revision") else None
        head = await self._memories.update(request.name, family, changes, expected, identity)
        return memory_service_pb2.UpdateMemoryResponse(
            memory=convert.memory_out(head), warnings=convert.warnings_out(head)
        )

    async def DeleteMemory(
        self, request: memory_service_pb2.DeleteMemoryRequest, context: Context
    ) -> memory_service_pb2.DeleteMemoryResponse:
        """See the .proto."""
        identity = await _converted(request, convert.request_in)
        await self._memories.delete(request.name, request.allow_missing, identity)
        return memory_service_pb2.DeleteMemoryResponse()

    async def StorePatterns(
        self, request: memory_service_pb2.StorePatternsRequest, context: Context
    ) -> memory_service_pb2.StorePatternsResponse:
        """See the .proto."""
        identity = await _converted(request, convert.request_in)
        head, labels = await self._memories.store(
            request.name,
            await _converted(request.patterns, convert.block_in, "patterns"),
            request.labels,
            request.replace,
            request.expected_revision if request.HasField("expected_revision") else None,
            identity,
        )
        return memory_service_pb2.StorePatternsResponse(
            memory=convert.memory_out(head), labels=labels, warnings=convert.warnings_out(head)
        )

    async def ForgetPatterns(
        self, request: memory_service_pb2.ForgetPatternsRequest, context: Context
    ) -> memory_service_pb2.ForgetPatternsResponse:
        """See the .proto."""
        identity = await _converted(request, convert.request_in)
        expected = request.expected_revision if request.HasField("expected_revision") else None
        head = await self._memories.forget(request.name, request.labels, expected, identity)
        return memory_service_pb2.ForgetPatternsResponse(memory=convert.memory_out(head))

    async def ListPatterns(
        self, request: memory_service_pb2.ListPatternsRequest, context: Context
    ) -> memory_service_pb2.ListPatternsResponse:
        """See the .proto."""
        count = convert.page_size_in(request.page_size)
        if len(request.labels) > _MAX_LABELS:
            raise InvalidField("labels", f"must be at most {_MAX_LABELS}, are {len(request.labels)}")
        start = _read_page_token(request.page_token, int) if request.page_token else 0
        page = await self._memories.patterns(
            request.name, request.labels, start, count, convert.token_in(request.token)
        )
        return memory_service_pb2.ListPatternsResponse(
            labels=page.labels,
            patterns=convert.packed_out(page.bits, page.head.spec),
            next_page_token="" if page.next_number is None else _page_token(page.next_number),
            uid=page.head.uid,
            revision=page.head.revision,
        )

    async def GetWeights(
        self, request: memory_service_pb2.GetWeightsRequest, context: Context
    ) -> AsyncIterator[memory_service_pb2.GetWeightsResponse]:
        """See the .proto."""
        head, network = await self._memories.weights(request.name, convert.token_in(request.token))
        yield memory_service_pb2.GetWeightsResponse(
            header=memory_service_pb2.GetWeightsHeader(
                neurons=network.spec.neurons,
                thresholds=network.thresholds,
                uid=head.uid,
                revision=head.revision,
                coding=convert.coding_out(network.spec.coding),
            )
        )
        for rows in weight_rows(network):
            yield memory_service_pb2.GetWeightsResponse(rows=rows.astype("<f8", copy=False).tobytes())

    async def ImportWeights(
        self, request_iterator: AsyncIterator[memory_service_pb2.ImportWeightsRequest], context: Context
    ) -> memory_service_pb2.ImportWeightsResponse:
        """See the .proto."""
        header, payload = await self._read_import(request_iterator)
        identity = await asyncio.to_thread(convert.request_in, header, payload, field="header.request_id")
        spec = convert.imported_spec_in(header)
        weights = np.frombuffer(payload, "<f8").reshape(header.neurons, header.neurons).astype(np.float64, copy=False)
        head = await self._memories.import_weights(header.name, spec, weights, identity)
        return memory_service_pb2.ImportWeightsResponse(memory=convert.memory_out(head))

    async def DiagnoseMemory(
        self, request: memory_service_pb2.DiagnoseMemoryRequest, context: Context
    ) -> memory_service_pb2.DiagnoseMemoryResponse:
        """See the .proto."""
        head, diagnosis = await self._memories.diagnose(request.name, convert.token_in(request.token))
        return memory_service_pb2.DiagnoseMemoryResponse(
            diagnosis=convert.diagnosis_out(diagnosis), uid=head.uid, revision=head.revision
        )

    async def _read_import(
        self, requests: AsyncIterator[memory_service_pb2.ImportWeightsRequest]
    ) -> tuple[memory_service_pb2.ImportWeightsHeader, memoryview]:
        """The header, and the bytes of the matrix, which are taken in only as far as the header says."""
        header: memory_service_pb2.ImportWeightsHeader | None = None
        payload = bytearray()
        expected = 0
        async for request in requests:
            part = request.WhichOneof("part")
            if header is None:
                if part != "header":
                    raise InvalidField("header", "must come first")
                header = request.header
                check_name(header.name, "header.name")
                if not 1 <= header.neurons <= self._max_neurons:
                    raise InvalidField("header.neurons", f"must be 1 to {self._max_neurons}, is {header.neurons}")
                expected = 8 * header.neurons**2
            elif part != "rows":
                raise InvalidField("rows", "must follow the header, which comes once")
            elif len(payload) + len(request.rows) > expected:
                raise InvalidField("rows", f"must be {expected} bytes for {header.neurons} neurons, are more")
            else:
                payload += request.rows
        if header is None:
            raise InvalidField("header", "must come first")
        if len(payload) != expected:
            raise InvalidField("rows", f"must be {expected} bytes for {header.neurons} neurons, are {len(payload)}")
        return header, memoryview(payload)


class RecallServicer(recall_service_pb2_grpc.RecallServiceServicer):
    """hopfield.v1.RecallService."""

    def __init__(self, memories: Memories) -> None:
        self._memories = memories

    async def Recall(
        self, request: recall_service_pb2.RecallRequest, context: Context
    ) -> recall_service_pb2.RecallResponse:
        """See the .proto."""
        query, options = await _converted(request, convert.recall_in)
        recalled = await self._memories.recall(request.name, query, options, convert.token_in(request.token))
        return convert.recall_out(recalled, request.query, options.seed)

    async def BatchRecall(
        self, request: recall_service_pb2.BatchRecallRequest, context: Context
    ) -> recall_service_pb2.BatchRecallResponse:
        """See the .proto."""
        queries, options = await _converted(request, convert.batch_in)
        recalled = await self._memories.recall(request.name, queries, options, convert.token_in(request.token))
        return await _batch(recalled, request.queries, options.seed)

    async def StreamRecall(
        self, request_iterator: AsyncIterator[recall_service_pb2.StreamRecallRequest], context: Context
    ) -> AsyncIterator[recall_service_pb2.StreamRecallResponse]:
        """See the .proto."""

        async def answer(block: _StreamedBlock) -> recall_service_pb2.StreamRecallResponse:
            queries = await _converted(block.queries, convert.queries_in)
            recalled = await self._memories.recall(block.name, queries, block.options, convert.token_in(block.token))
            return recall_service_pb2.StreamRecallResponse(
                block=await _batch(recalled, block.queries, block.options.seed)
            )

        async with aclosing(answered_in_order(_streamed_blocks(request_iterator), answer, _BLOCKS_AHEAD)) as answers:
            async for response in answers:
                yield response

    async def TraceRecall(
        self, request: recall_service_pb2.TraceRecallRequest, context: Context
    ) -> AsyncIterator[recall_service_pb2.TraceRecallResponse]:
        """See the .proto."""
        query, options = await _converted(request, convert.recall_in)
        async for piece in self._memories.trace(request.name, query, options, convert.token_in(request.token)):
            yield convert.trace_out(piece, request.query, options.seed)

    async def Nearest(
        self, request: recall_service_pb2.NearestRequest, context: Context
    ) -> recall_service_pb2.NearestResponse:
        """See the .proto."""
        queries = await _converted(request.queries, convert.queries_in)
        found = await self._memories.nearest(
            request.name, queries, convert.k_in(request), request.include_patterns, convert.token_in(request.token)
        )
        return await asyncio.to_thread(convert.nearest_out, found, request.queries)


@dataclass(frozen=True, slots=True)
class _StreamedBlock:
    """Some queries of a stream, with what its first message said of all of them, and the seed of their own."""

    name: str
    queries: patterns_pb2.Patterns
    options: RecallOptions
    token: memory_pb2.FreshnessToken


async def _streamed_blocks(
    requests: AsyncIterator[recall_service_pb2.StreamRecallRequest],
) -> AsyncIterator[_StreamedBlock]:
    opening: _StreamedBlock | None = None
    recalled = 0
    async for request in requests:
        if opening is None:
            check_name(request.name)
            options = await _converted(request.options, convert.options_in)
            opening = _StreamedBlock(request.name, request.queries, options, request.token)
        else:
            for field, given in (("name", bool(request.name)), ("options", request.HasField("options"))):
                if given:
                    raise InvalidField(field, "must not be set but in the first message of a stream")
        seed = (opening.options.seed + recalled) % (1 << 64)
        yield _StreamedBlock(opening.name, request.queries, opening.options._replace(seed=seed), request.token)
        recalled += request.queries.count


class ServerServicer(server_service_pb2_grpc.ServerServiceServicer):
    """hopfield.v1.ServerService."""

    def __init__(self, version: str, limits: server_service_pb2.ServerLimits) -> None:
        self._info = server_service_pb2.GetServerInfoResponse(
            version=version,
            limits=limits,
            learning_rules=list(convert.LEARNING_RULES),
            update_rules=list(convert.UPDATE_RULES),
        )

    async def GetServerInfo(
        self, request: server_service_pb2.GetServerInfoRequest, context: Context
    ) -> server_service_pb2.GetServerInfoResponse:
        """See the .proto."""
        return self._info


async def _converted(message: Any, convert_in: Callable[[Any, *Rest], Result], *rest: *Rest) -> Result:
    """What a message converts to; a large one on a thread, since it would keep the event loop from everyone else."""
    if message.ByteSize() < _LARGE:
        return convert_in(message, *rest)
    return await asyncio.to_thread(convert_in, message, *rest)


async def _batch(
    recalled: Recalled, queries: patterns_pb2.Patterns, seed: int
) -> recall_service_pb2.BatchRecallResponse:
    """The message of many answers; very many are converted on a thread, as `_converted` does."""
    if len(recalled.energies) <= _MANY_ANSWERS and recalled.states.nbytes < _LARGE:
        return convert.batch_out(recalled, queries, seed)
    return await asyncio.to_thread(convert.batch_out, recalled, queries, seed)


def _page_token(position: str | int) -> str:
    """Where the next page begins, in a form that nobody takes for something to compute with (AIP-158)."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _read_page_token(token: str, kind: type[Any]) -> Any:
    wrong = InvalidField("page_token", "must be the next_page_token of another page")
    if len(token) > _TOKEN_LENGTH:
        raise wrong
    try:
        position = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise wrong from error
    if type(position) is not kind:
        raise wrong
    # Beyond what any pattern is numbered.
    if kind is int and not 0 <= position < 1 << 63:
        raise wrong
    if kind is str:
        check_name(position, "page_token")
    return position
