"""`python -m benchmarks.load address name neurons seconds`: calls Recall from one process as fast as it is answered.

Prints how many calls a second were answered.
"""

import asyncio
import sys
import time
from typing import Any

import grpc
import numpy as np

from hopfield.v1 import patterns_pb2, recall_service_pb2
from hopfield.v1.recall_service_pb2_grpc import RecallServiceStub

CONNECTIONS = 8
IN_FLIGHT = 4


async def main(address: str, name: str, neurons: int, seconds: float) -> None:
    bits = np.packbits(np.ones(neurons, np.bool_)).tobytes()
    query = patterns_pb2.Patterns(count=1, neurons=neurons, bits=bits)
    request = recall_service_pb2.RecallRequest(name=name, query=query)
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=own) for _ in range(CONNECTIONS)]
    stubs: list[Any] = [RecallServiceStub(channel) for channel in channels]
    for stub in stubs:
        await stub.Recall(request)
    answered = 0
    end = time.perf_counter() + seconds

    async def call(stub: Any) -> None:
        nonlocal answered
        while time.perf_counter() < end:
            await stub.Recall(request)
            answered += 1

    await asyncio.gather(*(call(stub) for stub in stubs for _ in range(IN_FLIGHT)))
    for channel in channels:
        await channel.close(None)
    print(f"{answered / seconds:.1f}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
