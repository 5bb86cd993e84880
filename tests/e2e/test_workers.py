"""Several processes that serve one address, as an operator meets them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.processes import ServiceProcess, StartService
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_service_pb2, recall_service_pb2

CONNECTIONS = 24
"""So many are spread over two processes with near certainty."""
N = 500


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def service(start_service: StartService, data: Path) -> ServiceProcess:
    return start_service(data_dir=str(data), workers="2")


def workers_of(service: ServiceProcess) -> list[psutil.Process]:
    children = psutil.Process(service.process.pid).children()
    return [child for child in children if "hopfield_service.worker" in child.cmdline()]


@pytest.fixture
def wires(service: ServiceProcess) -> Iterator[list[Wire]]:
    """Many connections, each a connection of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(connected(service.address, own_connection=True)) for _ in range(CONNECTIONS)]


def recall(wire: Wire, name: str, query: list[int]) -> recall_service_pb2.RecallResponse:
    return wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=signs(query)))


def test_share_the_connections_and_the_memories(service: ServiceProcess, wires: list[Wire]) -> None:
    made(wires[0], "m", pairwise(4), signs([1, 1, -1, -1]))
    for wire in wires:
        assert recall(wire, "m", [1, 1, -1, 1]).label == "0"
    for worker in workers_of(service):
        established = [one for one in worker.net_connections("tcp") if one.status == psutil.CONN_ESTABLISHED]
        assert len(established) >= 1
    assert len(workers_of(service)) == 2
    # The supervisor itself has not loaded what serving takes.
    assert psutil.Process(service.process.pid).memory_info().rss < workers_of(service)[0].memory_info().rss / 2


def test_are_each_healthy(wires: list[Wire]) -> None:
    for wire in wires:
        answer = health_pb2_grpc.HealthStub(wire.channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_one_that_dies_is_started_anew_and_nothing_acknowledged_is_lost(service: ServiceProcess) -> None:
    for round_ in range(2):
        with connected(service.address, own_connection=True) as wire:
            made(wire, f"m{round_}", pairwise(4), signs([1, 1, -1, -1]))
        before = {worker.pid for worker in workers_of(service)}
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        until(lambda: service.log().count(") serves") == 3 + round_, within=60)  # noqa: B023 - called here alone
        after = {worker.pid for worker in workers_of(service)}
        assert len(after) == 2
        assert victim not in after
        with ExitStack() as stack:
            for _ in range(CONNECTIONS):
                wire = stack.enter_context(connected(service.address, own_connection=True))
                assert recall(wire, f"m{round_}", [1, 1, -1, 1]).label == "0"
        assert f"(process {victim}) ended by signal 9; starting another one in its place" in service.log()
    assert service.terminate() == 0


def restless(wire: Wire) -> None:
    """Makes a memory in which every neuron flips at every visit, so that no recall ever settles."""
    header = memory_service_pb2.ImportWeightsHeader(name="restless", neurons=N)
    rows = (-10.0 * np.eye(N)).astype("<f8").tobytes()
    parts = [memory_service_pb2.ImportWeightsRequest(header=header), memory_service_pb2.ImportWeightsRequest(rows=rows)]
    wire.memory.ImportWeights(iter(parts))


def recalls(wires: list[Wire], service: ServiceProcess, max_iterations: int) -> list[Any]:
    """Recalls in that memory, which run in both workers once this returns."""
    options = recall_service_pb2.RecallOptions(max_iterations=max_iterations)
    request = recall_service_pb2.RecallRequest(name="restless", query=signs([1] * N), options=options)
    before = {worker.pid: worker.cpu_times().user for worker in workers_of(service)}
    calls = [wire.recall.Recall.future(request) for wire in wires]
    until(lambda: all(worker.cpu_times().user > before[worker.pid] + 0.2 for worker in workers_of(service)))
    return calls


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_them_all_when_their_calls_are_finished(
    start_service: StartService, data: Path, number: int
) -> None:
    service = start_service(data_dir=str(data), workers="2", grace="60")
    with ExitStack() as stack:
        wires = [stack.enter_context(connected(service.address, own_connection=True)) for _ in range(CONNECTIONS)]
        restless(wires[0])
        workers = workers_of(service)
        calls = recalls(wires, service, 2000)
        service.process.send_signal(number)
        assert [call.result().iterations for call in calls] == [2000] * CONNECTIONS
    assert service.terminate() == 0
    assert not any(worker.is_running() for worker in workers)
    assert "Traceback" not in service.log()
    assert service.log().endswith("stopped\n")
    assert not list(data.rglob("*.sock"))


def test_a_second_signal_leaves_no_time(start_service: StartService, data: Path) -> None:
    service = start_service(data_dir=str(data), workers="2", grace="3600")
    with ExitStack() as stack:
        wires = [stack.enter_context(connected(service.address, own_connection=True)) for _ in range(CONNECTIONS)]
        restless(wires[0])
        recalls(wires, service, 1_000_000)
        service.process.send_signal(signal.SIGTERM)
        until(lambda: service.log().count("stopping: calls in flight have 3600 s to finish") == 3)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
    assert service.terminate() == 0
    assert "Traceback" not in service.log()


def test_end_with_a_supervisor_that_was_killed(
    service: ServiceProcess, start_service: StartService, data: Path
) -> None:
    workers = workers_of(service)
    service.kill()
    for worker in workers:
        worker.wait(60)
    # Its private Valkey server is taken over, and so is the address.
    again = start_service(data_dir=str(data), workers="2", listen=service.address)
    assert again.address == service.address


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("2", "1"), ("2", "2")])
def test_another_service_does_not_get_their_address(
    start_service: StartService, tmp_path: Path, first: str, second: str
) -> None:
    service = start_service(data_dir=str(tmp_path / "first"), workers=first)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hopfield_service", "--listen", service.address, "--workers", second),
            *("--data-dir", str(tmp_path / "second"), "--log-level", "error"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"hopfield-server: cannot serve on {service.address}: another process serves there; "
        "choose another port, or 0 for a free one\n"
    )
    assert not (tmp_path / "second").exists()


def test_one_that_does_not_come_up_ends_the_service_with_status_1(data: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "hopfield_service", "--listen", "127.0.0.1:0"),
                *("--workers", "2", "--data-dir", str(data)),
            ],
            env={**environment, "NUMBA_CACHE_DIR": str(tmp_path / "nothing compiled yet")},
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        until(lambda: (tmp_path / "log").read_text().count("warming the kernels") == 2, within=60)
        psutil.Process(process.pid).children()[-1].kill()
        assert process.wait(60) == 1
    text = (tmp_path / "log").read_text()
    assert "ended by signal 9 before it served" in text
    assert "Traceback" not in text
    assert not list(data.rglob("*.sock"))


def test_each_has_its_share_of_the_threads(service: ServiceProcess) -> None:
    share = -(-(os.cpu_count() or 1) // 2)
    assert service.log().count(f", {share} threads, ") == 2


def test_an_address_of_ipv6_can_be_shared(start_service: StartService, data: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    service = start_service(data_dir=str(data), workers="2", listen="[::1]:0")
    with connected(service.address) as wire:
        assert grpc.channel_ready_future(wire.channel).result(10) is None
