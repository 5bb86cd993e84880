"""Whatever bytes arrive at whichever RPC: an answer, or a refusal that says what is wrong; and nothing is changed by it."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import grpc
import psutil
import pytest
from tests.fuzz.memories import make_all, state
from tests.fuzz.requests import RECIPES, fuzzed_call
from tests.processes import StartService
from tests.wire import connected, refusal, same_bytes

from hopfield.v1 import attractor_service_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2

_CALLERS = 16
# Calls after which the memory of the process is looked at.
_BLOCK = 500
_DEADLINE_SECONDS = 30
# What a defect of the server looks like from outside.
_DEFECTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNIMPLEMENTED}
# HOPFIELD_FUZZ_SEED runs other calls than the last time.
_FIRST_SEED = int(os.environ.get("HOPFIELD_FUZZ_SEED", "0"))


def test_every_rpc_is_fuzzed() -> None:
    modules = (attractor_service_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2)
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    served = {(service.full_name, method.name) for service in services for method in service.methods}
    assert {(service.full_name, method) for method, service, _ in RECIPES} == served


@pytest.mark.parametrize("count", [10_000, pytest.param(200_000, marks=(pytest.mark.long, pytest.mark.timeout(3600)))])
def test_every_call_is_answered_or_refused_with_a_reason(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory, count: int
) -> None:
    service = start_service(data_dir=str(tmp_path_factory.mktemp("fuzz")), max_neurons="4096")
    with connected(service.address) as wire:
        make_all(wire)
        before = state(wire)
        process = psutil.Process(service.process.pid)
        codes: Counter[grpc.StatusCode] = Counter()
        resident: list[int] = []
        for first in range(_FIRST_SEED, _FIRST_SEED + count, _BLOCK):
            codes += _send(wire.channel, range(first, first + _BLOCK))
            resident.append(process.memory_info().rss)
        assert state(wire) == before
        warm = max(resident[: len(resident) // 2])
        assert resident[-1] < 1.1 * warm, [size >> 20 for size in resident]
    # The calls get somewhere: a third are valid and find what they ask for.
    assert codes[grpc.StatusCode.OK] > count / 3
    log = service.log()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
    assert " ERROR " not in log


def _send(channel: grpc.Channel, seeds: range) -> Counter[grpc.StatusCode]:
    """Sends the calls of the seeds, some at a time.

    Returns:
        How often each status was the answer.
    """
    with ThreadPoolExecutor(_CALLERS) as callers:
        return Counter(callers.map(lambda seed: _status(channel, seed), seeds, chunksize=1))


def _status(channel: grpc.Channel, seed: int) -> grpc.StatusCode:
    call = fuzzed_call(seed)
    connect: Any = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[call.streams, call.answers]
    method = connect(call.path, request_serializer=same_bytes, response_deserializer=same_bytes)
    request = iter(call.messages) if call.streams else call.messages[0]
    if call.answers:
        answer = method(request, timeout=_DEADLINE_SECONDS)
        with suppress(grpc.RpcError):
            for _ in answer:
                pass
    else:
        answer = method.future(request, timeout=_DEADLINE_SECONDS)
    code = answer.code()
    if code is not grpc.StatusCode.OK:
        where = f"seed {seed}, {call.path}: {code.name}, {answer.details()}"
        assert code not in _DEFECTS, where
        assert refusal(answer).reason, where
    return cast("grpc.StatusCode", code)
