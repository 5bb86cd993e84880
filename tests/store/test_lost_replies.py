"""A change whose reply was lost on the way from Redis is made once, and answered as if nothing had happened."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tests.processes import StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, weights
from tests.store.proxy import ReplyLosingProxy
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, refusal, signs

from hopfield.v1 import memory_service_pb2
from hopfield_service.store import scripts


@pytest.fixture
def proxy(valkey: ValkeyProcess) -> Iterator[ReplyLosingProxy]:
    with ReplyLosingProxy(valkey.port) as between:
        yield between


@pytest.fixture
def wire(proxy: ReplyLosingProxy, start_service: StartService) -> Iterator[Wire]:
    service = start_service(redis_url=proxy.url, redis_timeout="0.3")
    with connected(service.address) as stubs:
        # Redis knows each script from here on, so that the reply to be lost is that of a change.
        made(stubs, "other", pairwise(3), signs([1, 1, 1]))
        stubs.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="other"))
        yield stubs


@pytest.mark.parametrize(
    ("then_close", "count"),
    [(False, 1), (True, 1), (True, 2)],
    ids=["silence", "connection closed", "connection closed twice"],
)
def test_a_store_whose_reply_is_lost_stores_once(
    wire: Wire, proxy: ReplyLosingProxy, valkey: ValkeyProcess, then_close: bool, count: int
) -> None:
    made(wire, "m", pairwise(3))
    proxy.lose_replies(count, then_close=then_close)
    answer = wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name="m", patterns=signs([1, -1, 1])))
    assert proxy.lost == count
    assert (answer.memory.pattern_count, answer.memory.revision, list(answer.labels)) == (1, 1, ["0"])
    listed = wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="m"))
    assert list(listed.labels) == ["0"]
    with valkey.client() as redis:
        (log,) = redis.keys("hopfield:{m}:*:log")
        assert redis.xlen(log) == 1


def test_a_store_that_is_answered_by_silence_alone_is_unavailable_and_its_repeat_answered(
    wire: Wire, proxy: ReplyLosingProxy
) -> None:
    made(wire, "m", pairwise(3))
    proxy.lose_replies(2, then_close=False)
    request = memory_service_pb2.StorePatternsRequest(name="m", patterns=signs([1, -1, 1]), request_id="once")
    with pytest.raises(grpc.RpcError) as caught:
        wire.memory.StorePatterns(request)
    refused = refusal(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert refused.retry_seconds is not None
    answer = wire.memory.StorePatterns(request)
    assert (answer.memory.pattern_count, answer.memory.revision, list(answer.labels)) == (1, 1, ["0"])


@pytest.mark.parametrize("then_close", [False, True], ids=["silence", "connection closed"])
def test_weights_whose_import_is_not_acknowledged_are_there(
    wire: Wire, proxy: ReplyLosingProxy, then_close: bool
) -> None:
    given = np.array([[0, 1.5], [1.5, 0]])
    header = memory_service_pb2.ImportWeightsHeader(name="m", neurons=2)
    parts = [
        memory_service_pb2.ImportWeightsRequest(header=header),
        memory_service_pb2.ImportWeightsRequest(rows=given.tobytes()),
    ]
    proxy.lose_replies(1, then_close=then_close)
    assert wire.memory.ImportWeights(iter(parts)).memory.revision == 1
    assert proxy.lost == 1
    np.testing.assert_array_equal(weights(wire, "m"), given)


@pytest.mark.parametrize("script", ["SWAP", "COMPACT"])
@pytest.mark.parametrize("then_close", [False, True], ids=["silence", "connection closed"])
def test_what_a_memory_came_to_refer_to_is_there_though_nobody_was_told(
    wire: Wire,
    proxy: ReplyLosingProxy,
    valkey: ValkeyProcess,
    start_service: StartService,
    script: str,
    then_close: bool,
) -> None:
    pattern = random_patterns(1, 1000)[0]
    with valkey.client() as redis:
        proxy.lose_replies(1, then_close=then_close, to=str(redis.script_load(getattr(scripts, script))))
    made(wire, "m", pairwise(1000), signs(pattern))
    thresholds = np.random.default_rng(1).normal(0, 1e-3, 1000)
    for k in range(300):
        # Some 8 kB of log a change.
        spec = pairwise(0, thresholds=thresholds * k)
        memory = wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="m", spec=spec)).memory
        if proxy.lost and k > 160:
            break
    assert proxy.lost == 1
    with valkey.client() as redis:
        until(lambda: not redis.keys("*:writer"))
        head: Any = redis.hgetall("hopfield:{m}:head")
        assert head[b"generation"] == b"1"
        for field in (b"base", b"snapshot"):
            manifest = json.loads(head[field].partition(b" ")[2])
            keys: Any = redis.keys(f"hopfield:{{m}}:*:chunk:{manifest['blob']}:*")
            assert [redis.ttl(key) for key in keys] == [-1] * manifest["chunks"]
    with connected(start_service(redis_url=valkey.url).address) as other:
        answer = recall(other, "m", pattern)
        assert (answer.revision, answer.overlap) == (memory.revision, 1.0)


def test_a_memory_whose_making_is_not_acknowledged_is_made_once(wire: Wire, proxy: ReplyLosingProxy) -> None:
    proxy.lose_replies(1, then_close=True)
    memory = made(wire, "m", pairwise(3))
    assert proxy.lost == 1
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m")).memory == memory


def test_a_memory_whose_deletion_is_not_acknowledged_is_gone_and_said_to_be(
    wire: Wire, proxy: ReplyLosingProxy
) -> None:
    made(wire, "m", pairwise(3))
    proxy.lose_replies(1, then_close=True)
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
    assert proxy.lost == 1
    assert not wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories
