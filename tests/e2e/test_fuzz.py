"""Whatever is sent is answered or refused with a reason, changes nothing of others, and leaves nothing behind."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from tests.e2e.fuzzing import METHODS, NEURONS, Fuzzer, Method
from tests.processes import ServiceProcess, StartService
from tests.wire import Wire, connected, dense, made, modern, pairwise, refusal, same_bytes

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

CALLERS = 4
SECONDS = 60.0
# With a reason these are answers; a call of 60 s is none of them.
REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED", "RESOURCE_EXHAUSTED"}


@pytest.fixture
def service(start_service: StartService, tmp_path: Any) -> ServiceProcess:
    return start_service(data_dir=str(tmp_path / "data"), max_message_bytes=str(16 << 20))


def patterns(neurons: int, *, real: bool = False) -> patterns_pb2.Patterns:
    values = np.random.default_rng(neurons).normal(size=(5, neurons))
    if real:
        return patterns_pb2.Patterns(count=5, neurons=neurons, floats=values.astype("<f4").tobytes())
    packed = np.packbits(values > 0, axis=1, bitorder="little")
    return patterns_pb2.Patterns(count=5, neurons=neurons, bits=packed.tobytes())


def specs() -> dict[str, memory_pb2.MemorySpec]:
    projection = memory_pb2.LEARNING_RULE_PSEUDO_INVERSE
    return {
        "hebb": pairwise(NEURONS["hebb"]),
        "binary": pairwise(NEURONS["binary"], coding=patterns_pb2.CODING_BINARY),
        "projection": pairwise(NEURONS["projection"], rule=projection),
        "dense": dense(NEURONS["dense"], degree=3),
        "modern": modern(NEURONS["modern"], beta=4),
        "ring": memory_pb2.MemorySpec(ring={}),
        "untouched": pairwise(50, rule=projection),
    }


def prepare(wire: Wire) -> None:
    for name, spec in specs().items():
        stored = None if name == "ring" else patterns(NEURONS.get(name, 50), real=name == "modern")
        made(wire, name, spec, stored)


def untouched(wire: Wire) -> list[object]:
    """All that can be read of a memory that no request names."""
    recall = recall_service_pb2.BatchRecallRequest(
        name="untouched", queries=patterns(50), options=recall_service_pb2.RecallOptions(seed=1)
    )
    return [
        wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="untouched")),
        wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="untouched")),
        list(wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="untouched"))),
        wire.recall.BatchRecall(recall),
    ]


def call(channel: grpc.Channel, method: Method, requests: list[bytes]) -> None:
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    make: Any = kinds[method.sends_stream, method.answers_stream]
    ask = make(method.path, request_serializer=same_bytes, response_deserializer=same_bytes)
    answer = ask(iter(requests) if method.sends_stream else requests[0], timeout=SECONDS)
    if method.answers_stream:
        for _ in answer:
            pass


def outcomes(address: str, seed: int, calls: int) -> Counter[str]:
    """How so many calls ended; a refusal without a reason is told with its method."""
    counted: Counter[str] = Counter()
    fuzzer = Fuzzer(seed)
    with connected(address, own_connection=True) as wire:
        for _ in range(calls):
            method = fuzzer.draw.choice(METHODS)
            requests = fuzzer.requests(method)
            try:
                call(wire.channel, method, requests)
                counted["OK"] += 1
            except grpc.RpcError as error:
                refused = refusal(error)
                answered = refused.code.name in REFUSALS and refused.reason
                told = refused.code.name if answered else f"{method.path} {refused.code.name} {refused.message[:200]}"
                counted[told] += 1
    return counted


def fuzz(service: ServiceProcess, seed: int, calls: int) -> Counter[str]:
    with ThreadPoolExecutor(CALLERS) as pool:
        each = pool.map(lambda caller: outcomes(service.address, seed + caller, calls // CALLERS), range(CALLERS))
    total: Counter[str] = Counter()
    for one in each:
        total += one
    return total


def resident(service: ServiceProcess) -> int:
    """Bytes of the process."""
    size: int = psutil.Process(service.process.pid).memory_info().rss
    return size


def check(service: ServiceProcess, wire: Wire, counted: Counter[str], before: list[object]) -> None:
    assert set(counted) <= {"OK", *REFUSALS}
    # Nothing is refused, or answered, for a reason that has nothing to do with the requests.
    assert min(counted["OK"], counted["INVALID_ARGUMENT"]) > counted.total() / 20
    assert untouched(wire) == before
    assert "Traceback" not in service.log()
    assert " ERROR " not in service.log()


@pytest.mark.timeout(600)
def test_ten_thousand_calls_are_answered_or_refused_with_a_reason(service: ServiceProcess) -> None:
    with connected(service.address) as wire:
        prepare(wire)
        before = untouched(wire)
        check(service, wire, fuzz(service, 0, 10_000), before)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_thousand_calls_leave_nothing_behind(service: ServiceProcess) -> None:
    with connected(service.address) as wire:
        prepare(wire)
        before = untouched(wire)
        fuzz(service, 0, 20_000)
        warm = resident(service)
        check(service, wire, fuzz(service, 1000, 200_000), before)
        assert resident(service) < 1.1 * warm
