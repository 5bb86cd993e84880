"""A private Valkey server at its limit of memory: changes are refused, recalls go on, and deleting makes room."""

from pathlib import Path

import grpc
import redis as redis_client
from tests.processes import StartService
from tests.replicas import random_patterns, recall, store
from tests.wire import Wire, connected, made, pairwise, refusal

from hopfield.v1 import memory_service_pb2

N = 2048
PATTERNS = random_patterns(400, N)


def delete(wire: Wire, name: str) -> None:
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))


def fill(wire: Wire, prefix: str) -> list[str]:
    """Makes memories until the storage is full; their names."""
    names: list[str] = []
    while True:
        names.append(f"{prefix}{len(names)}")
        try:
            made(wire, names[-1], pairwise(N))
            store(wire, names[-1], *PATTERNS)
        except grpc.RpcError as error:
            said = refusal(error)
            assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
            return names[:-1]


def test_full_memory(tmp_path: Path, start_service: StartService) -> None:
    data = tmp_path / "data"
    service = start_service(data_dir=str(data), valkey_bytes=str(16 << 20))
    with connected(service.address) as wire:
        first, second, *_ = fill(wire, "a")
        assert recall(wire, first, PATTERNS[0]).revision == 1
        delete(wire, first)
        store(wire, second, PATTERNS[0])
        # A memory that cannot be read is deleted too.
        fill(wire, "b")
        with redis_client.Redis(unix_socket_path=str(data / "valkey.sock")) as valkey:
            valkey.hdel(f"hopfield:{{{second}}}:head", "spec")
        delete(wire, second)
        assert made(wire, second, pairwise(3)).revision == 0
    assert service.terminate() == 0
