"""`python -m benchmarks.echo_server`: the bare minimum of a gRPC server in Python, which sends back the bytes it is sent.

It says its address on stdout, and ends when stdin does.
"""

import asyncio
import sys
from typing import Any

import grpc

METHOD = "/benchmarks.Echo/Echo"


class Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every unary call with its request, unparsed."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        async def echo(request: bytes, _: object) -> bytes:
            return request

        return grpc.unary_unary_rpc_method_handler(echo) if handler_call_details.method == METHOD else None


async def main() -> None:
    server = grpc.aio.server(handlers=[Echo()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
