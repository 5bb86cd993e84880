"""A memory that is deleted and made anew while it is read: the reader finds a memory or none, never a damaged one."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, store
from tests.wire import Wire, connected, made, pairwise

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 9
(QUERY,) = random_patterns(1, N)


@pytest.fixture
def service(valkey: ValkeyProcess, start_service: StartService) -> ServiceProcess:
    return start_service(redis_url=valkey.url, redis_timeout="20")


@pytest.fixture
def wire(service: ServiceProcess) -> Iterator[Wire]:
    with connected(service.address) as stubs:
        yield stubs


def import_and_delete(wire: Wire) -> None:
    header = memory_service_pb2.ImportWeightsHeader(name="m", neurons=N)
    rows = memory_service_pb2.ImportWeightsRequest(rows=np.eye(N).tobytes())
    wire.memory.ImportWeights(iter([memory_service_pb2.ImportWeightsRequest(header=header), rows]))
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))


def store_and_delete(wire: Wire) -> None:
    made(wire, "m", pairwise(N, rule=memory_pb2.LEARNING_RULE_STORKEY))
    for pattern in random_patterns(3, N):
        store(wire, "m", pattern)
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))


@pytest.mark.parametrize("change", [import_and_delete, store_and_delete])
@pytest.mark.parametrize("replica", [False, True], ids=["the same service", "another replica"])
def test_no_data_loss_is_reported(
    *,
    change: Callable[[Wire], None],
    replica: bool,
    wire: Wire,
    service: ServiceProcess,
    valkey: ValkeyProcess,
    start_service: StartService,
) -> None:
    other = start_service(redis_url=valkey.url, redis_timeout="20") if replica else service
    codes: Counter[grpc.StatusCode] = Counter()
    changed = threading.Event()

    def read() -> None:
        with connected(other.address, own_connection=True) as reading:
            while not changed.is_set():
                try:
                    recall(reading, "m", QUERY, timeout=30)
                    codes[grpc.StatusCode.OK] += 1
                except grpc.RpcError as error:
                    codes[error.code()] += 1

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(150):
            change(wire)
    finally:
        changed.set()
        for reader in readers:
            reader.join()
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
    for log in (service.log(), other.log()):
        assert " WARNING " not in log
        assert " ERROR " not in log
