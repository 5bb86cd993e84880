"""One hostile caller: sends what is legal and large, on a number of connections at once. Started as a process by tests.

Usage: python -m tests.e2e.hostile ADDRESS CONNECTIONS SECONDS MESSAGE_BYTES

With 0 seconds each message is sent once on each connection. Prints as JSON which status answered each how often.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import numpy as np

from hopfield.v1 import (
    attractor_service_pb2 as attractors,
)
from hopfield.v1 import (
    memory_pb2 as memory,
)
from hopfield.v1 import (
    memory_service_pb2 as memories,
)
from hopfield.v1 import (
    patterns_pb2 as patterns,
)
from hopfield.v1 import (
    recall_service_pb2 as recalls,
)

RECALL, MEMORY = "/hopfield.v1.RecallService/", "/hopfield.v1.MemoryService/"
ATTRACTOR, SERVER = "/hopfield.v1.AttractorService/", "/hopfield.v1.ServerService/"
TIMEOUT = 20.0

Send = Callable[[grpc.Channel], object]


def varint(number: int) -> bytes:
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def unary(method: str, content: bytes) -> Send:
    return lambda channel: channel.unary_unary(method, None, None)(content, timeout=TIMEOUT)


def block(count: int, neurons: int, content: int = 5) -> patterns.Patterns:
    return patterns.Patterns(count=count, neurons=neurons, bits=bytes([content]) * (count * ((neurons + 7) // 8)))


def unread_stream(method: str, messages: list[bytes]) -> Send:
    """A stream that is sent as fast as it is taken, and whose answers are not read for a while."""

    def send(channel: grpc.Channel) -> object:
        call = channel.stream_stream(method, None, None)(iter(messages), timeout=3.0)
        time.sleep(1.0)
        return list(call)

    return send


def imported(name: str, neurons: int) -> Send:
    def parts() -> Iterator[bytes]:
        header = memories.ImportWeightsHeader(name=name, neurons=neurons)
        yield memories.ImportWeightsRequest(header=header).SerializeToString()
        rows = memories.ImportWeightsRequest(rows=bytes(1 << 20)).SerializeToString()
        for _ in range(8 * neurons**2 >> 20):
            yield rows

    return lambda channel: channel.stream_unary(MEMORY + "ImportWeights", None, None)(parts(), timeout=TIMEOUT)


def prepare(channel: grpc.Channel) -> None:
    """Makes the memories that the messages are about: "tiny" and "labelled"."""

    def make(name: str, count: int, labels: list[str]) -> None:
        spec = memory.MemorySpec(pairwise=memory.PairwiseSpec(neurons=8))
        created = memories.CreateMemoryRequest(name=name, spec=spec)
        channel.unary_unary(MEMORY + "CreateMemory", None, None)(created.SerializeToString())
        stored = memories.StorePatternsRequest(name=name, patterns=block(count, 8), labels=labels)
        channel.unary_unary(MEMORY + "StorePatterns", None, None)(stored.SerializeToString())

    make("tiny", 1, [])
    make("labelled", 2000, [f"{k:06}" + "\N{ALCHEMICAL SYMBOL FOR GOLD}" * 250 for k in range(2000)])


def messages(limit: int) -> dict[str, Send]:
    """The messages, none of them larger than the limit."""
    limit -= 1024
    call = min(limit, (1 << 20) - 1024)
    query = field(2, block(1, 8).SerializeToString())
    tiny, ring = field(1, b"tiny"), field(1, b"ring")
    ones = np.ones(call // 8 - 20).tobytes()
    large = patterns.Patterns(count=limit - 64, neurons=8, bits=b"\x05" * (limit - 64)).SerializeToString()
    long_labels = [f"{k:06}" + "x" * 250 for k in range(limit // 280)]
    store = memories.StorePatternsRequest(
        name="tiny", patterns=block(len(long_labels), 8), labels=[*long_labels[:-1], "\n"]
    )
    part = recalls.StreamRecallRequest(name="tiny", queries=block(1 << 17, 8))
    later = recalls.StreamRecallRequest(queries=block(1 << 17, 8)).SerializeToString()
    nearest = recalls.NearestRequest(name="labelled", queries=block(1048, 8), k=1000)
    labelled_batch = recalls.BatchRecallRequest(name="labelled", queries=block(20_000, 8))
    return {
        "explicit order": unary(RECALL + "Recall", tiny + query + field(3, field(3, b"\x01" * call))),
        "schedule": unary(RECALL + "Recall", tiny + query + field(3, b"\x08\x03" + field(9, field(1, ones)))),
        "angular velocities": lambda channel: list(
            channel.stream_stream(ATTRACTOR + "IntegrateHeading", None, None)(
                iter([ring + field(5, ones)]), timeout=TIMEOUT
            )
        ),
        "rates": unary(
            ATTRACTOR + "RecallHeading",
            attractors.RecallHeadingRequest(
                name="ring", rates=patterns.Patterns(count=1, neurons=call // 4, floats=bytes(call // 4 * 4))
            ).SerializeToString(),
        ),
        "thresholds": unary(
            MEMORY + "CreateMemory", field(1, b"thresholds") + field(2, field(1, b"\x08\x04" + field(3, ones)))
        ),
        "labels to forget": unary(MEMORY + "ForgetPatterns", tiny + b"\x12\x00" * (limit // 2)),
        "labels to list": unary(MEMORY + "ListPatterns", tiny + b"\x12\x00" * (call // 2)),
        "mask": unary(
            MEMORY + "UpdateMemory", tiny + field(2, field(1, b"\x28\x00")) + field(3, b"\x0a\x00" * (call // 2))
        ),
        "unknown fields": unary(SERVER + "GetServerInfo", b"\x9a\x06\x00" * (limit // 3)),
        "nested groups": unary(SERVER + "GetServerInfo", b"\x0b" * (limit // 2) + b"\x0c" * (limit // 2)),
        "garbage": unary(RECALL + "BatchRecall", b"\xff" * limit),
        "patterns that are not stored": unary(MEMORY + "StorePatterns", store.SerializeToString()),
        "no such memory": unary(RECALL + "BatchRecall", field(1, b"none") + field(2, large)),
        "tiny queries": unary(RECALL + "BatchRecall", tiny + field(2, large)),
        "queries": unary(
            RECALL + "BatchRecall",
            recalls.BatchRecallRequest(name="tiny", queries=block(100_000, 8)).SerializeToString(),
        ),
        "queries of long labels": unary(RECALL + "BatchRecall", labelled_batch.SerializeToString()),
        "nearest": unary(RECALL + "Nearest", nearest.SerializeToString()),
        "unread stream": unread_stream(RECALL + "StreamRecall", [part.SerializeToString(), *[later] * 40]),
        "matrix": imported("matrix", 2048),
        "larger than any": unary(RECALL + "BatchRecall", bytes(4 * limit)),
    }


def main() -> None:
    address, connections, seconds, limit = sys.argv[1], *map(int, sys.argv[2:])
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channels = [grpc.insecure_channel(address, options) for _ in range(connections)]
    prepare(channels[0])
    everything = messages(limit)
    statuses: dict[str, Counter[str]] = {name: Counter() for name in everything}
    end = time.monotonic() + seconds

    def call(number: int) -> None:
        names = list(everything)
        # Each begins with another one.
        names = names[number % len(names) :] + names[: number % len(names)]
        while True:
            for name in names:
                try:
                    everything[name](channels[number])
                    statuses[name]["OK"] += 1
                except grpc.RpcError as error:
                    statuses[name][error.code().name] += 1
                if seconds and time.monotonic() > end:
                    return
            if not seconds:
                return

    threads = [threading.Thread(target=call, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({name: dict(counted) for name, counted in statuses.items()}))


if __name__ == "__main__":
    main()
