"""Work that takes minutes: it ends with its caller, it does not hold up the end of the service, and others get through meanwhile."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import psutil
import pytest
from tests.processes import ServiceProcess, StartService
from tests.waiting import until
from tests.wire import Wire, connected, dense, made, pairwise, signs

from hopfield.v1 import attractor_service_pb2, memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

LONG_TIMEOUT = 600.0
Call = Callable[[Wire, float], Any]


def random_bits(count: int, neurons: int) -> patterns_pb2.Patterns:
    """Random patterns; neurons are a multiple of 8."""
    bits = np.random.default_rng(0).integers(0, 256, (count, neurons // 8), np.uint8)
    return patterns_pb2.Patterns(count=count, neurons=neurons, bits=bits.tobytes())


def diagnose_dense(wire: Wire, timeout: float) -> None:
    wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name="dense"), timeout=timeout)


def diagnose_pairwise(wire: Wire, timeout: float) -> None:
    wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name="hebb"), timeout=timeout)


def recall_at_a_temperature(wire: Wire, timeout: float) -> None:
    options = recall_service_pb2.RecallOptions(
        seed=1, update=recall_service_pb2.UPDATE_RULE_GLAUBER, beta=0.1, max_iterations=1_000_000
    )
    request = recall_service_pb2.RecallRequest(name="hebb", query=random_bits(1, 2048), options=options)
    wire.recall.Recall(request, timeout=timeout)


def store_by_the_perceptron_rule(wire: Wire, timeout: float) -> None:
    # More patterns than neurons can hold: it goes on for as many sweeps as it may.
    request = memory_service_pb2.StorePatternsRequest(name="perceptron", patterns=random_bits(2000, 512))
    wire.memory.StorePatterns(request, timeout=timeout)


def follow_a_sheet(wire: Wire, timeout: float) -> None:
    request = attractor_service_pb2.IntegratePositionRequest(
        name="sheet", velocities_x=[0.1], velocities_y=[0.0], durations=[600.0]
    )
    list(wire.attractors.IntegratePosition(iter([request]), timeout=timeout))


CALLS = pytest.mark.parametrize(
    "call",
    [diagnose_dense, diagnose_pairwise, recall_at_a_temperature, store_by_the_perceptron_rule, follow_a_sheet],
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service with two threads of each kind, and memories with which everything takes minutes."""
    directory = tmp_path_factory.mktemp("long")
    settings = {"HOPFIELD_DATA_DIR": str(directory / "data"), "HOPFIELD_THREADS": "2"}
    with ServiceProcess(directory, settings) as running, connected(running.address) as wire:
        make_memories(wire)
        yield running


def make_memories(wire: Wire) -> None:
    made(wire, "dense", dense(2048, exponential=True), random_bits(20_000, 2048))
    made(wire, "hebb", pairwise(2048), random_bits(400, 2048))
    rule = memory_pb2.LEARNING_RULE_PERCEPTRON
    made(wire, "perceptron", pairwise(512, rule=rule, max_sweeps=1_000_000))
    made(wire, "sheet", memory_pb2.MemorySpec(sheet=memory_pb2.SheetSpec(side=64, tau=0.001)))
    made(wire, "bystander", pairwise(8), signs([1, -1] * 4))


def cpu_seconds(service: ServiceProcess) -> float:
    times = psutil.Process(service.process.pid).cpu_times()
    return float(times.user + times.system)


def is_idle(service: ServiceProcess) -> bool:
    before = cpu_seconds(service)
    time.sleep(0.2)
    return cpu_seconds(service) - before < 0.05


@CALLS
def test_ends_with_its_caller(service: ServiceProcess, call: Call) -> None:
    with connected(service.address, own_connection=True) as wire, ThreadPoolExecutor(1) as caller:
        before = cpu_seconds(service)
        under_way = caller.submit(call, wire, LONG_TIMEOUT)
        until(lambda: cpu_seconds(service) > before + 0.3, within=60)
        wire.channel.close()
        assert under_way.exception(30) is not None
        # It would take minutes to its end.
        until(lambda: is_idle(service), within=10)


@CALLS
def test_lets_others_through(service: ServiceProcess, call: Call) -> None:
    """Bystanders recall, batch and store while each thread has long work, and more waits."""
    with connected(service.address) as wire, ExitStack() as stack, ThreadPoolExecutor(8) as callers:
        own = [stack.enter_context(connected(service.address, own_connection=True)) for _ in range(6)]
        under_way = [callers.submit(call, each, LONG_TIMEOUT) for each in own]
        before = cpu_seconds(service)
        until(lambda: cpu_seconds(service) > before + 0.5)
        query = signs([1, 1, 1, -1, 1, -1, 1, -1])
        began = time.monotonic()
        for number in range(3):
            wire.recall.Recall(recall_service_pb2.RecallRequest(name="bystander", query=query), timeout=20)
            batch = recall_service_pb2.BatchRecallRequest(name="hebb", queries=random_bits(64, 2048))
            wire.recall.BatchRecall(batch, timeout=20)
            stored = memory_service_pb2.StorePatternsRequest(
                name="bystander", patterns=signs([1, 1, -1, -1] * 2), labels=[f"{call.__name__} {number}"]
            )
            wire.memory.StorePatterns(stored, timeout=20)
        # Alone, all that takes a fraction of a second.
        assert time.monotonic() - began < 20
        assert not any(one.done() for one in under_way)
        for each in own:
            each.channel.close()
        for one in under_way:
            assert one.exception(30) is not None
        until(lambda: is_idle(service), within=10)


@pytest.mark.parametrize("call", [diagnose_dense, follow_a_sheet, recall_at_a_temperature])
def test_does_not_hold_up_the_end_of_the_service(
    start_service: StartService, call: Call, tmp_path_factory: Any
) -> None:
    service = start_service(data_dir=str(tmp_path_factory.mktemp("data")), grace="0.5")
    with connected(service.address) as wire, ThreadPoolExecutor(1) as caller:
        make_memories(wire)
        before = cpu_seconds(service)
        under_way = caller.submit(call, wire, LONG_TIMEOUT)
        until(lambda: cpu_seconds(service) > before + 0.5)
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 10
        assert under_way.exception(10) is not None
    assert "Traceback" not in service.log()
