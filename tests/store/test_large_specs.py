"""What large specs and many labels cost: pages are cut by bytes, and nothing large remains of what is gone."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import refused
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_service_pb2

N = 16_384
THRESHOLDS = np.random.default_rng(1).normal(0, 1, N).tolist()


@pytest.fixture
def service(valkey: ValkeyProcess, start_service: StartService) -> ServiceProcess:
    return start_service(redis_url=valkey.url, redis_timeout="20")


@pytest.fixture
def wire(service: ServiceProcess) -> Iterator[Wire]:
    with connected(service.address) as stubs:
        yield stubs


@pytest.fixture
def redis(valkey: ValkeyProcess) -> Iterator[redis_client.Redis]:
    with valkey.client() as client:
        yield client


def pages(wire: Wire, size: int) -> Iterator[memory_service_pb2.ListMemoriesResponse]:
    request = memory_service_pb2.ListMemoriesRequest(page_size=size)
    while True:
        page = wire.memory.ListMemories(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def deleted(wire: Wire, name: str) -> None:
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))


class TestAListOfMemories:
    def test_with_many_thresholds_has_pages_of_about_a_mebibyte(self, wire: Wire) -> None:
        spec = pairwise(N, thresholds=THRESHOLDS)
        names = [f"m{number:02}" for number in range(30)]
        for name in names:
            made(wire, name, spec)
        listed = list(pages(wire, 1000))
        assert [memory.name for page in listed for memory in page.memories] == names
        assert all(memory.spec == listed[0].memories[0].spec for page in listed for memory in page.memories)
        assert list(listed[0].memories[0].spec.pairwise.thresholds) == THRESHOLDS
        assert 3 <= len(listed) <= 10
        assert all(page.ByteSize() < 3 << 19 for page in listed)

    def test_reads_no_thresholds_beyond_the_page(self, wire: Wire, redis: redis_client.Redis) -> None:
        for number in range(40):
            made(wire, f"m{number:02}", pairwise(N, thresholds=THRESHOLDS))
        redis.config_resetstat()
        wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_size=1000))
        statistics: Any = redis.info("stats")
        assert statistics["total_net_output_bytes"] < 2 << 20

    def test_has_one_memory_a_page_where_one_fills_it(self, valkey: ValkeyProcess, start_service: StartService) -> None:
        with connected(start_service(redis_url=valkey.url, max_neurons=str(1 << 17)).address) as wire:
            for name in ("a", "b", "c"):
                made(wire, name, pairwise(1 << 17, thresholds=[0.5] * (1 << 17)))
            made(wire, "d", pairwise(2))
            listed = [[memory.name for memory in page.memories] for page in pages(wire, 10)]
            assert listed == [["a"], ["b"], ["c"], ["d"]]

    def test_goes_on_where_a_head_cannot_be_read(self, wire: Wire, redis: redis_client.Redis) -> None:
        for name in ("a", "b", "c", "d"):
            made(wire, name, pairwise(3, thresholds=[1, 2, 3]))
        redis.hset("hopfield:{b}:head", "bulk", b"x" * 24)
        redis.hdel("hopfield:{c}:head", "spec")
        assert [memory.name for page in pages(wire, 2) for memory in page.memories] == ["a", "d"]


class TestAMemoryThatIsGone:
    def test_leaves_little_whatever_its_spec(self, wire: Wire, redis: redis_client.Redis) -> None:
        for _ in range(10):
            made(wire, "m", pairwise(500, thresholds=THRESHOLDS[:500]))
            wire.memory.UpdateMemory(
                memory_service_pb2.UpdateMemoryRequest(name="m", spec=pairwise(0, thresholds=[1.0] * 500))
            )
            deleted(wire, "m")
        keys: Any = redis.keys("hopfield:{m}:*")
        assert len(keys) == 40
        assert sum(redis.memory_usage(key) or 0 for key in keys) < 40 * 1000

    def test_is_told_of_as_before_to_a_repeat_of_its_making(self, wire: Wire) -> None:
        request = memory_service_pb2.CreateMemoryRequest(
            name="m", spec=pairwise(N, thresholds=THRESHOLDS), request_id="once"
        )
        first = wire.memory.CreateMemory(request)
        deleted(wire, "m")
        assert wire.memory.CreateMemory(request) == first
        assert not wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories

    @pytest.mark.parametrize("neurons", [5, 500])
    def test_is_told_of_to_a_repeat_of_a_store_if_its_spec_is_short(self, wire: Wire, neurons: int) -> None:
        thresholds = [0.5] * neurons if neurons == 500 else []
        made(wire, "m", pairwise(neurons, thresholds=thresholds))
        request = memory_service_pb2.StorePatternsRequest(name="m", patterns=signs([1] * neurons), request_id="once")
        first = wire.memory.StorePatterns(request)
        assert wire.memory.StorePatterns(request) == first
        deleted(wire, "m")
        if thresholds:
            assert refused(wire.memory.StorePatterns, request).code == grpc.StatusCode.NOT_FOUND
        else:
            assert wire.memory.StorePatterns(request) == first


def test_the_repeat_of_an_update_of_many_thresholds_is_answered_as_the_first(
    wire: Wire, redis: redis_client.Redis
) -> None:
    made(wire, "m", pairwise(500))
    request = memory_service_pb2.UpdateMemoryRequest(
        name="m", spec=pairwise(0, thresholds=THRESHOLDS[:500]), request_id="once"
    )
    first = wire.memory.UpdateMemory(request)
    assert wire.memory.UpdateMemory(request) == first
    assert redis.strlen("hopfield:{m}:request:once") < 1000


class TestLabels:
    LABELS = ("a", "ä", "中文", '"quoted"', "\\", "🙂" * 3)

    def test_take_about_their_own_bytes_in_the_log(self, wire: Wire, redis: redis_client.Redis) -> None:
        labels = [f"{number:04}" + "中" * 60 for number in range(2000)]
        made(wire, "m", pairwise(8))
        wire.memory.StorePatterns(
            memory_service_pb2.StorePatternsRequest(name="m", patterns=signs(*[[1] * 8] * 2000), labels=labels)
        )
        entries: Any = redis.xrange(redis.keys("hopfield:{m}:*:log")[0])
        written = len("".join(labels).encode())
        assert len(entries[0][1][b"payload"]) < written + 2000 * (4 + 1) + 200

    def test_are_read_back_from_log_snapshot_and_base(
        self, wire: Wire, valkey: ValkeyProcess, start_service: StartService
    ) -> None:
        made(wire, "m", pairwise(3))
        patterns = [[1, 1, 1]] * len(self.LABELS)
        store = memory_service_pb2.StorePatternsRequest(name="m", patterns=signs(*patterns), labels=self.LABELS)
        wire.memory.StorePatterns(store)
        wire.memory.ForgetPatterns(memory_service_pb2.ForgetPatternsRequest(name="m", labels=self.LABELS[1:3]))
        kept = [self.LABELS[0], *self.LABELS[3:]]
        with connected(start_service(redis_url=valkey.url).address) as other:
            listed = other.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="m"))
        assert list(listed.labels) == kept

    def test_that_the_server_made_are_noted_as_runs(self, wire: Wire, redis: redis_client.Redis) -> None:
        made(wire, "m", pairwise(2), signs([1, 1]))
        wire.memory.StorePatterns(
            memory_service_pb2.StorePatternsRequest(name="m", patterns=signs([1, 1]), labels=["500"])
        )
        request = memory_service_pb2.StorePatternsRequest(
            name="m", patterns=signs(*[[1, -1]] * 3000), request_id="once"
        )
        first = wire.memory.StorePatterns(request)
        assert list(first.labels) == [str(number) for number in range(2, 3003) if number != 500]
        assert wire.memory.StorePatterns(request) == first
        assert redis.strlen("hopfield:{m}:request:once") < 500
