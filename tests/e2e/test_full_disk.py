"""The service on a full disk: changes are refused, recalls go on, and it goes on by itself once there is room."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.processes import StartService
from tests.replicas import random_patterns, recall, refused, store
from tests.store.small_disk import SmallDisk, small_disk
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, refusal

from hopfield.v1 import memory_service_pb2

N = 2048
PATTERNS = random_patterns(400, N)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path.resolve() / "disk", 24) as disk:
        yield disk


def stored_until_full(wire: Wire, name: str) -> int:
    """How many patterns a memory took; it says that the storage is full, and nothing else."""
    count = 0
    while True:
        try:
            store(wire, name, *PATTERNS)
        except grpc.RpcError as error:
            said = refusal(error)
            assert said.reason == "STORAGE_FULL"
            return count
        count += len(PATTERNS)


def takes(wire: Wire, name: str) -> bool:
    try:
        return bool(store(wire, name, PATTERNS[0]).revision)
    except grpc.RpcError:
        return False


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_a_full_disk(disk: SmallDisk, start_service: StartService, appendfsync: str) -> None:
    settings = {"data_dir": str(disk.path / "data"), "appendfsync": appendfsync}
    service = start_service(**settings)
    with connected(service.address) as wire:
        made(wire, "m", pairwise(N))
        made(wire, "other", pairwise(N))
        acknowledged = stored_until_full(wire, "m")
        said = refused(store, wire, "other", PATTERNS[0])
        assert (said.code, said.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        assert recall(wire, "m", PATTERNS[0]).revision == acknowledged // len(PATTERNS)
        assert recall(wire, "other", PATTERNS[0]).revision == 0
        wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="other"))
        disk.grow(200)
        until(lambda: takes(wire, "m"))
        assert service.process.poll() is None
    assert service.terminate() == 0
    with connected(start_service(**settings).address) as wire:
        request = memory_service_pb2.GetMemoryRequest(name="m")
        assert wire.memory.GetMemory(request).memory.pattern_count >= acknowledged + 1
