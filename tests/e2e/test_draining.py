"""What callers see while a replica stops: nothing, as long as there is another one."""

import itertools
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.waiting import until
from tests.wire import Wire, connected, refusal, signs

from hopfield.v1 import attractor_service_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2
from hopfield.v1.attractor_service_pb2_grpc import AttractorServiceStub
from hopfield_client import HopfieldClient, HopfieldError, Ring
from hopfield_service.settings import Settings

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LONG = "3600"


def health(wire: Wire) -> int:
    return int(health_pb2_grpc.HealthStub(wire.channel).Check(health_pb2.HealthCheckRequest()).status)


def answers(wire: Wire) -> bool:
    return bool(wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest()).version)


class TestADrain:
    """After SIGTERM, the service says that it does not serve, and serves."""

    @pytest.fixture
    def service(self, start_service: StartService, tmp_path: Path) -> ServiceProcess:
        return start_service(data_dir=str(tmp_path / "data"), drain_seconds=LONG)

    def test_serves_old_and_new_connections_until_none_is_open(self, service: ServiceProcess) -> None:
        with connected(service.address) as wire:
            assert answers(wire)
            service.process.send_signal(signal.SIGTERM)
            until(lambda: health(wire) == NOT_SERVING)
            assert answers(wire)
            with connected(service.address, own_connection=True) as other:
                assert answers(other)
            assert service.process.poll() is None
        assert service.ended() == 0
        assert "draining: serving on for at most 3600 s" in service.log()

    def test_does_not_wait_where_no_connection_is_open(self, service: ServiceProcess) -> None:
        assert service.terminate() == 0

    def test_ends_when_its_time_is_over(self, start_service: StartService, tmp_path: Path) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), drain_seconds="0.5")
        with connected(service.address) as wire:
            assert answers(wire)
            begun = time.monotonic()
            assert service.terminate() == 0
            assert time.monotonic() - begun > 0.5

    def test_is_skipped_by_a_second_signal(self, service: ServiceProcess) -> None:
        with connected(service.address) as wire:
            assert answers(wire)
            service.process.send_signal(signal.SIGTERM)
            until(lambda: health(wire) == NOT_SERVING)
            assert service.terminate() == 0

    def test_is_not_for_a_developer_at_the_keyboard(self, service: ServiceProcess) -> None:
        with connected(service.address) as wire:
            assert answers(wire)
            service.process.send_signal(signal.SIGINT)
            assert service.ended() == 0

    def test_of_workers_is_one_of_each(self, start_service: StartService, tmp_path: Path) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), drain_seconds=LONG, workers="2")
        with connected(service.address) as wire:
            assert answers(wire)
            service.process.send_signal(signal.SIGTERM)
            until(lambda: health(wire) == NOT_SERVING)
            assert answers(wire)
        assert service.ended() == 0


def test_calls_that_the_grace_is_too_short_for_are_told_to_go_elsewhere(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(data_dir=str(tmp_path / "data"), grace="0.5")
    with connected(service.address) as wire:
        header = memory_service_pb2.ImportWeightsHeader(name="restless", neurons=500)
        rows = (-10.0 * np.eye(500)).astype("<f8").tobytes()
        parts = [{"header": header}, {"rows": rows}]
        wire.memory.ImportWeights(memory_service_pb2.ImportWeightsRequest(**part) for part in parts)  # type: ignore[arg-type]
        options = recall_service_pb2.RecallOptions(max_iterations=1_000_000)
        request = recall_service_pb2.RecallRequest(name="restless", query=signs([1] * 500), options=options)
        endless = wire.recall.Recall.future(request)
        assert answers(wire)
        assert service.terminate() == 0
        refused = refusal(endless.exception())
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert refused.retry_seconds is not None
    assert "Traceback" not in service.log()


def test_who_watches_health_does_not_hold_up_the_end(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(data_dir=str(tmp_path / "data"), grace="50")
    with connected(service.address) as wire:
        watch = health_pb2_grpc.HealthStub(wire.channel).Watch(health_pb2.HealthCheckRequest())
        assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
        service.process.send_signal(signal.SIGTERM)
        assert service.ended(within=30) == 0


def test_connections_are_closed_when_they_are_old_and_no_call_fails(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(data_dir=str(tmp_path / "data"), max_connection_age="1")
    process = psutil.Process(service.process.pid)
    port = int(service.address.rpartition(":")[2])
    callers: set[object] = set()
    with HopfieldClient(service.address, timeout=60) as client:
        ring = client.create_memory("ring", model=Ring())
        # A stream goes on, however old its connection is.
        with ring.track(0) as track:
            while len(callers) < 3:
                assert client.server_info().version
                callers |= {
                    connection.raddr
                    for connection in process.net_connections("tcp")
                    if connection.laddr.port == port and connection.raddr
                }
            assert track.turn(10, seconds=1) == pytest.approx(10, abs=2)


@pytest.mark.long
@pytest.mark.parametrize("every", [6, 10])
def test_a_caller_may_ping_every_few_seconds_while_a_track_is_at_rest(server: ServiceProcess, every: int) -> None:
    options = [
        ("grpc.keepalive_time_ms", every * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with grpc.insecure_channel(server.address, options) as channel, HopfieldClient(server.address) as client:
        ring = client.create_memory(f"ring-{every}", model=Ring())
        requests: queue.SimpleQueue[attractor_service_pb2.IntegrateHeadingRequest | None] = queue.SimpleQueue()
        track = iter(AttractorServiceStub(channel).IntegrateHeading(iter(requests.get, None)))
        turn = attractor_service_pb2.IntegrateHeadingRequest(name=ring.name, angular_velocities=[0.0], durations=[0.0])
        requests.put(turn)
        next(track)
        # Nothing to wait for: that nothing happens for some pings is the point.
        time.sleep(8 * every)
        turn.ClearField("name")
        requests.put(turn)
        assert len(next(track).headings) == 1
        requests.put(None)


class Callers:
    """Threads that recall and store through clients of several addresses, until they are told to end."""

    def __init__(self, addresses: list[str], count: int) -> None:
        self._over = threading.Event()
        self._clients = [HopfieldClient(addresses) for _ in range(count // 4)]
        self.calls: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number, self._clients[number % len(self._clients)]))
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, number: int, client: HopfieldClient) -> None:
        patterns = np.random.default_rng(number).choice([-1, 1], (5, 200))
        own = client.create_memory(f"own-{number}-{id(self)}", 200, rule="pseudo_inverse")
        own.store(patterns, list("abcde"))
        for k in itertools.count():
            if self._over.is_set():
                return
            try:
                if k % 5:
                    assert own.recall(patterns[k % 5]).label == "abcde"[k % 5]
                else:
                    own.store(patterns[0], "a", replace=True)
            except HopfieldError as error:
                self.failures.append(repr(error))
            self.calls["recall" if k % 5 else "store"] += 1
            self._over.wait(0.005)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        for client in self._clients:
            client.close()


class Replicas:
    """Replicas of one service on one Valkey, stopped and started again at their addresses."""

    def __init__(self, count: int, url: str, tmp_path: Path, stack: ExitStack, **settings: str) -> None:
        self._stack = stack
        self._logs = [tmp_path / f"replica-{number}" for number in range(count)]
        for directory in self._logs:
            directory.mkdir()
        self._settings = {"HOPFIELD_REDIS_URL": url, **settings}
        self._services = [self._start(number, "127.0.0.1:0") for number in range(count)]

    @property
    def addresses(self) -> list[str]:
        return [service.address for service in self._services]

    def _start(self, number: int, listen: str) -> ServiceProcess:
        settings = {**self._settings, "HOPFIELD_LISTEN": listen}
        return self._stack.enter_context(ServiceProcess(self._logs[number], settings))

    def restart(self, number: int) -> None:
        address = self._services[number].address
        assert self._services[number].terminate() == 0
        self._services[number] = self._start(number, address)


@contextmanager
def rolling(valkey: ValkeyProcess, tmp_path: Path, **settings: str) -> Iterator[Replicas]:
    with ExitStack() as stack:
        yield Replicas(3, valkey.url, tmp_path, stack, **settings)


def test_no_call_fails_while_replicas_are_stopped_one_after_the_other(valkey: ValkeyProcess, tmp_path: Path) -> None:
    with rolling(valkey, tmp_path, HOPFIELD_DRAIN_SECONDS="0.5") as replicas:
        callers = Callers(replicas.addresses, 8)
        for number in range(3):
            replicas.restart(number)
        callers.end()
    assert callers.failures == []
    assert min(callers.calls.values()) > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("turn", range(10))
def test_no_call_of_24_callers_fails_in_16_stops_with_default_settings(
    valkey: ValkeyProcess, tmp_path: Path, turn: int
) -> None:
    with rolling(
        valkey, tmp_path, HOPFIELD_DRAIN_SECONDS=str(Settings.model_fields["drain_seconds"].default)
    ) as replicas:
        callers = Callers(replicas.addresses, 24)
        for stop in range(16):
            replicas.restart(stop % 3)
        callers.end()
    print(f"{turn}: {dict(callers.calls)}")
    assert callers.failures == []
