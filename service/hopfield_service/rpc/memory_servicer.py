"""hopfield.v1.MemoryService: convert, call, convert."""

import base64
import binascii
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, cast

import grpc
import numpy as np

from hopfield.v1 import (
    memory_service_pb2,
    memory_service_pb2_grpc,
)
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import convert, memory_convert
from hopfield_service.rpc.convert import LARGE, converted
from hopfield_service.serving import admission, costs
from hopfield_service.serving.checks import check_name
from hopfield_service.serving.conversion import PIECE, on_thread, on_thread_if
from hopfield_service.serving.memories import Memories

Context = grpc.aio.ServicerContext[Any, Any]


_MAX_LABELS = 1000
_TOKEN_LENGTH = 1000


class MemoryServicer(memory_service_pb2_grpc.MemoryServiceServicer):
    """hopfield.v1.MemoryService."""

    def __init__(self, memories: Memories, max_neurons: int) -> None:
        self._memories = memories
        self._max_neurons = max_neurons

    async def CreateMemory(
        self, request: memory_service_pb2.CreateMemoryRequest, context: Context
    ) -> memory_service_pb2.CreateMemoryResponse:
        """See the .proto."""
        identity = await on_thread_if(convert.is_large(), partial(memory_convert.request_in, request))
        spec = await converted(request.spec, memory_convert.spec_in)
        head = await self._memories.create(request.name, spec, request.allow_existing, identity)
        return memory_service_pb2.CreateMemoryResponse(memory=memory_convert.memory_out(head))

    async def GetMemory(
        self, request: memory_service_pb2.GetMemoryRequest, context: Context
    ) -> memory_service_pb2.GetMemoryResponse:
        """See the .proto."""
        head = await self._memories.get(request.name)
        return memory_service_pb2.GetMemoryResponse(memory=memory_convert.memory_out(head))

    async def ListMemories(
        self, request: memory_service_pb2.ListMemoriesRequest, context: Context
    ) -> memory_service_pb2.ListMemoriesResponse:
        """See the .proto."""
        count = memory_convert.page_size_in(request.page_size)
        after = _read_page_token(request.page_token, str) if request.page_token else ""
        if after and not after.startswith(request.prefix):
            raise InvalidField("page_token", "must come from a page with the same prefix")
        heads, following = await self._memories.list(request.prefix, after, count)
        return memory_service_pb2.ListMemoriesResponse(
            memories=[memory_convert.memory_out(head) for head in heads],
            next_page_token=_page_token(following) if following else "",
        )

    async def UpdateMemory(
        self, request: memory_service_pb2.UpdateMemoryRequest, context: Context
    ) -> memory_service_pb2.UpdateMemoryResponse:
        """See the .proto."""
        identity = await on_thread_if(convert.is_large(), partial(memory_convert.request_in, request))
        family, changes = await converted(request, memory_convert.changes_in)
        expected = request.expected_revision if request.HasField("expected_revision") else None
        head = await self._memories.update(request.name, family, changes, expected, identity)
        return memory_service_pb2.UpdateMemoryResponse(
            memory=memory_convert.memory_out(head), warnings=memory_convert.warnings_out(head)
        )

    async def DeleteMemory(
        self, request: memory_service_pb2.DeleteMemoryRequest, context: Context
    ) -> memory_service_pb2.DeleteMemoryResponse:
        """See the .proto."""
        identity = await on_thread_if(convert.is_large(), partial(memory_convert.request_in, request))
        await self._memories.delete(request.name, request.allow_missing, identity)
        return memory_service_pb2.DeleteMemoryResponse()

    async def StorePatterns(
        self, request: memory_service_pb2.StorePatternsRequest, context: Context
    ) -> memory_service_pb2.StorePatternsResponse:
        """See the .proto."""
        identity = await on_thread_if(convert.is_large(), partial(memory_convert.request_in, request))
        head, labels = await self._memories.store(
            request.name,
            await converted(request.patterns, convert.block_in, "patterns"),
            await on_thread_if(convert.is_large(), partial(memory_convert.labels_in, request.labels)),
            request.replace,
            request.expected_revision if request.HasField("expected_revision") else None,
            identity,
        )
        answer = await on_thread_if(len(labels) > PIECE, partial(memory_convert.stored_out, head, labels))
        return cast("memory_service_pb2.StorePatternsResponse", answer)

    async def ForgetPatterns(
        self, request: memory_service_pb2.ForgetPatternsRequest, context: Context
    ) -> memory_service_pb2.ForgetPatternsResponse:
        """See the .proto."""
        identity = await on_thread_if(convert.is_large(), partial(memory_convert.request_in, request))
        expected = request.expected_revision if request.HasField("expected_revision") else None
        labels = await on_thread_if(convert.is_large(), partial(memory_convert.labels_in, request.labels))
        head = await self._memories.forget(request.name, labels, expected, identity)
        return memory_service_pb2.ForgetPatternsResponse(memory=memory_convert.memory_out(head))

    async def ListPatterns(
        self, request: memory_service_pb2.ListPatternsRequest, context: Context
    ) -> memory_service_pb2.ListPatternsResponse:
        """See the .proto."""
        count = memory_convert.page_size_in(request.page_size)
        if len(request.labels) > _MAX_LABELS:
            raise InvalidField("labels", f"must be at most {_MAX_LABELS}, are {len(request.labels)}")
        start = _read_page_token(request.page_token, int) if request.page_token else 0
        page = await self._memories.patterns(request.name, request.labels, start, count, convert.token_in(request))
        following = "" if page.next_number is None else _page_token(page.next_number)
        answer = await on_thread_if(page.bits.nbytes >= LARGE, partial(memory_convert.page_out, page, following))
        return cast("memory_service_pb2.ListPatternsResponse", answer)

    async def GetWeights(
        self, request: memory_service_pb2.GetWeightsRequest, context: Context
    ) -> AsyncIterator[memory_service_pb2.GetWeightsResponse]:
        """See the .proto."""
        head, network = await self._memories.weights(request.name, convert.token_in(request))
        yield memory_service_pb2.GetWeightsResponse(
            header=memory_service_pb2.GetWeightsHeader(
                neurons=network.spec.neurons,
                thresholds=network.thresholds,
                uid=head.uid,
                revision=head.revision,
                coding=convert.coding_out(network.spec.coding),
            )
        )
        async with aclosing(self._memories.weight_rows(network)) as blocks:
            async for rows in blocks:
                yield cast("memory_service_pb2.GetWeightsResponse", memory_convert.rows_out(rows))

    async def ImportWeights(
        self, request_iterator: AsyncIterator[memory_service_pb2.ImportWeightsRequest], context: Context
    ) -> memory_service_pb2.ImportWeightsResponse:
        """See the .proto."""
        header, payload = await self._read_import(request_iterator)
        identity = await on_thread(partial(memory_convert.streamed_request_in, header, payload, "header.request_id"))
        spec = memory_convert.imported_spec_in(header)
        # Written to, as a bytearray may be.
        weights = np.frombuffer(payload, "<f8").reshape(header.neurons, header.neurons).astype(np.float64, copy=False)
        head = await self._memories.import_weights(header.name, spec, weights, identity)
        return memory_service_pb2.ImportWeightsResponse(memory=memory_convert.memory_out(head))

    async def DiagnoseMemory(
        self, request: memory_service_pb2.DiagnoseMemoryRequest, context: Context
    ) -> memory_service_pb2.DiagnoseMemoryResponse:
        """See the .proto."""
        head, diagnosis = await self._memories.diagnose(request.name, convert.token_in(request))
        return memory_service_pb2.DiagnoseMemoryResponse(
            diagnosis=memory_convert.diagnosis_out(diagnosis), uid=head.uid, revision=head.revision
        )

    async def _read_import(
        self, requests: AsyncIterator[memory_service_pb2.ImportWeightsRequest]
    ) -> tuple[memory_service_pb2.ImportWeightsHeader, memoryview]:
        """The header, and the bytes of the matrix, which are taken in only as far as the header says."""
        header: memory_service_pb2.ImportWeightsHeader | None = None
        payload = bytearray()
        expected = received = 0
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
                await admission.current().take(costs.imported(header.neurons), "header.neurons")
                # All of it at once: what grows is copied.
                payload = bytearray(expected)
            elif part != "rows":
                raise InvalidField("rows", "must follow the header, which comes once")
            elif received + len(request.rows) > expected:
                raise InvalidField("rows", f"must be {expected} bytes for {header.neurons} neurons, are more")
            else:
                payload[received : received + len(request.rows)] = request.rows
                received += len(request.rows)
        if header is None:
            raise InvalidField("header", "must come first")
        if received != expected:
            raise InvalidField("rows", f"must be {expected} bytes for {header.neurons} neurons, are {received}")
        return header, memoryview(payload)


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
