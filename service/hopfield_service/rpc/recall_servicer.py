"""hopfield.v1.RecallService: convert, call, convert."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import grpc

from hopfield.v1 import (
    patterns_pb2,
    recall_service_pb2,
    recall_service_pb2_grpc,
)
from hopfield_service.core.interruption import Interruption
from hopfield_service.core.options import RecallOptions
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import convert, recall_convert
from hopfield_service.rpc.convert import LARGE, converted, is_large
from hopfield_service.rpc.streaming import BLOCKS_AHEAD, answered_in_order
from hopfield_service.serving import admission
from hopfield_service.serving.checks import Encoding, check_name
from hopfield_service.serving.conversion import on_thread, on_thread_if
from hopfield_service.serving.loader import Token
from hopfield_service.serving.recalls import MANY_ANSWERS, RecalledBatch, Recalls

Context = grpc.aio.ServicerContext[Any, Any]

# Steps of a trace that it takes less than a millisecond to convert.
_FEW_STEPS = 100
# Bytes of a block of a stream and its answer that are not charged.
_ANSWERED_FREELY = 1 << 14


class RecallServicer(recall_service_pb2_grpc.RecallServiceServicer):
    """hopfield.v1.RecallService."""

    def __init__(self, recalls: Recalls) -> None:
        self._recalls = recalls

    async def Recall(
        self, request: recall_service_pb2.RecallRequest, context: Context
    ) -> recall_service_pb2.RecallResponse:
        """See the .proto."""
        # Not by `converted`, which would be a coroutine more for every recall.
        if is_large():
            query, options = await on_thread(lambda _: recall_convert.recall_in(request))
        else:
            query, options = recall_convert.recall_in(request)
        recalled = await self._recalls.recall(request.name, query, options, convert.token_in(request))
        return recall_convert.recall_out(recalled, query.encoding, options.seed)

    async def BatchRecall(
        self, request: recall_service_pb2.BatchRecallRequest, context: Context
    ) -> recall_service_pb2.BatchRecallResponse:
        """See the .proto."""
        queries, options = await converted(request, recall_convert.batch_in)
        recalled = await self._recalls.recall_batch(request.name, queries, options, convert.token_in(request))
        answer = await _made(recall_convert.batch_out, recalled, queries.encoding, options.seed)
        return cast("recall_service_pb2.BatchRecallResponse", answer)

    async def StreamRecall(
        self, request_iterator: AsyncIterator[recall_service_pb2.StreamRecallRequest], context: Context
    ) -> AsyncIterator[recall_service_pb2.StreamRecallResponse]:
        """See the .proto."""
        account = admission.current()

        async def answer(block: _StreamedBlock) -> tuple[recall_service_pb2.StreamRecallResponse, admission.Account]:
            part = account.part(_ANSWERED_FREELY)
            with admission.charged_to(part):
                queries = await converted(block.queries, recall_convert.queries_in)
                recalled = await self._recalls.recall_batch(block.name, queries, block.options, block.token)
                made = await _made(recall_convert.block_out, recalled, queries.encoding, block.options.seed)
            return cast("recall_service_pb2.StreamRecallResponse", made), part

        async with aclosing(answered_in_order(_streamed_blocks(request_iterator), answer, BLOCKS_AHEAD)) as answers:
            async for response, part in answers:
                yield response
                # It is sent.
                account.release_part(part)

    async def TraceRecall(
        self, request: recall_service_pb2.TraceRecallRequest, context: Context
    ) -> AsyncIterator[recall_service_pb2.TraceRecallResponse]:
        """See the .proto."""
        query, options = await converted(request, recall_convert.recall_in)
        pieces = self._recalls.trace(request.name, query, options, convert.token_in(request))
        async with aclosing(pieces):
            async for piece in pieces:
                large = len(piece.steps) > _FEW_STEPS
                yield await on_thread_if(large, partial(recall_convert.trace_out, piece, query.encoding, options.seed))

    async def Nearest(
        self, request: recall_service_pb2.NearestRequest, context: Context
    ) -> recall_service_pb2.NearestResponse:
        """See the .proto."""
        queries = await converted(request.queries, recall_convert.queries_in)
        found = await self._recalls.nearest(
            request.name,
            queries,
            recall_convert.k_in(request),
            request.include_patterns,
            convert.token_in(request),
        )
        answer = await on_thread_if(
            len(found.positions) > MANY_ANSWERS or (found.bits is not None and found.bits.nbytes >= LARGE),
            partial(recall_convert.nearest_out, found, queries.encoding),
        )
        return cast("recall_service_pb2.NearestResponse", answer)


@dataclass(frozen=True, slots=True)
class _StreamedBlock:
    """Some queries of a stream, with what its first message said of all of them, and the seed of their own."""

    name: str
    queries: patterns_pb2.Patterns
    options: RecallOptions
    token: Token | None


async def _streamed_blocks(
    requests: AsyncIterator[recall_service_pb2.StreamRecallRequest],
) -> AsyncIterator[_StreamedBlock]:
    opening: _StreamedBlock | None = None
    recalled = 0
    async for request in requests:
        if opening is None:
            check_name(request.name)
            options = await converted(request.options, recall_convert.options_in)
            opening = _StreamedBlock(request.name, request.queries, options, convert.token_in(request))
        else:
            for field, given in (("name", bool(request.name)), ("options", request.HasField("options"))):
                if given:
                    raise InvalidField(field, "must not be set but in the first message of a stream")
        seed = (opening.options.seed + recalled) % (1 << 64)
        yield _StreamedBlock(
            opening.name, request.queries, opening.options._replace(seed=seed), convert.token_in(request)
        )
        recalled += request.queries.count


async def _made(
    answer_of: Callable[[RecalledBatch, Encoding, int, Interruption], bytes],
    recalled: RecalledBatch,
    encoding: Encoding,
    seed: int,
) -> bytes:
    """The answer of many recalls on the wire; of very many made on a thread."""
    results = recalled.results
    large = len(results.energies) > MANY_ANSWERS or results.bits.nbytes >= LARGE
    return await on_thread_if(large, partial(answer_of, recalled, encoding, seed))
