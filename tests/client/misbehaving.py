"""A gRPC server that misbehaves as told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

Behaviour = Callable[[int, bytes, grpc.ServicerContext], bytes]


class Misbehaving(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every call as `behaviour` says, which is told how many came before and the bytes of the request."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.behaviour: Behaviour | None = None
        self.address = ""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        behaviour = self.behaviour
        if behaviour is None:
            return None

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.requests.append(request)
            return behaviour(len(self.requests), request, context)

        def answer_upload(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            return answer(b"".join(requests), context)

        if str(details.method).endswith("/ImportWeights"):
            return grpc.stream_unary_rpc_method_handler(answer_upload)
        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def misbehaving(port: int = 0) -> Iterator[Misbehaving]:
    """One that runs, and takes messages of 10,000 bytes."""
    handler = Misbehaving()
    with ThreadPoolExecutor(4) as pool:
        running = grpc.server(pool, handlers=[handler], options=[("grpc.max_receive_message_length", 10_000)])
        handler.address = f"127.0.0.1:{running.add_insecure_port(f'127.0.0.1:{port}')}"
        running.start()
        yield handler
        running.stop(None).wait()


def refuse(
    context: grpc.ServicerContext, code: grpc.StatusCode, reason: str = "", retry_after: float | None = None
) -> None:
    """Ends a call as the service does, with details."""
    status = status_pb2.Status(code=code.value[0], message="refused")
    if reason:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="hopfield"))
    if retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, "refused")
