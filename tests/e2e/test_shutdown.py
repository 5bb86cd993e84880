"""How the service ends, whenever it is told to; and how it goes on when its private Valkey server has ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.processes import ServiceProcess, StartService
from tests.wire import Wire, connected, made, pairwise, refusal, signs

from hopfield.v1 import memory_service_pb2, recall_service_pb2

N = 500
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"


def status_of(service: ServiceProcess) -> int:
    """With which status a service ends that has its reasons to."""
    service.process.wait(20)
    # Which has nothing left to do but to close what the test holds of it.
    return service.terminate()


def valkeys_in(directory: Path) -> list[psutil.Process]:
    """Valkey servers that keep their files below a directory."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "valkey-server" and (process.info["cwd"] or "").startswith(str(directory))
    ]


def assert_nothing_is_left_in(data: Path) -> None:
    assert valkeys_in(data) == []
    assert not list(data.rglob("*.sock"))


def restless(wire: Wire) -> None:
    """Makes a memory in which every neuron flips at every visit, so that no recall ever settles."""
    header = memory_service_pb2.ImportWeightsHeader(name="restless", neurons=N)
    rows = (-10.0 * np.eye(N)).astype("<f8").tobytes()
    wire.memory.ImportWeights(
        iter(
            [
                memory_service_pb2.ImportWeightsRequest(header=header),
                memory_service_pb2.ImportWeightsRequest(rows=rows),
            ]
        )
    )


def recalls(wire: Wire, service: ServiceProcess, count: int, max_iterations: int) -> list[Any]:
    """Recalls in that memory, which run once this returns."""
    options = recall_service_pb2.RecallOptions(max_iterations=max_iterations)
    request = recall_service_pb2.RecallRequest(name="restless", query=signs([1] * N), options=options)
    process = psutil.Process(service.process.pid)
    before = process.cpu_times().user
    calls = [wire.recall.Recall.future(request) for _ in range(count)]
    until(lambda: process.cpu_times().user > before + 0.3)
    return calls


ENDLESS = 1_000_000
"""Iterations that take minutes."""
SOME = 10_000
"""Iterations that take a second or so."""


class TestASignal:
    @SIGNALS
    def test_leaves_calls_in_flight_the_time_they_need(
        self, start_service: StartService, tmp_path: Path, number: int
    ) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), grace="60")
        with connected(service.address) as wire:
            restless(wire)
            calls = recalls(wire, service, 3, SOME)
            service.process.send_signal(number)
            assert [call.result().iterations for call in calls] == [SOME] * 3
        assert status_of(service) == 0
        assert "Traceback" not in service.log()
        assert_nothing_is_left_in(tmp_path / "data")

    @SIGNALS
    def test_ends_endless_calls_once_the_grace_is_over(
        self, start_service: StartService, tmp_path: Path, number: int
    ) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), grace="1")
        with connected(service.address) as wire:
            restless(wire)
            calls = recalls(wire, service, 8, ENDLESS)
            service.process.send_signal(number)
            assert status_of(service) == 0
            assert all(call.exception() is not None for call in calls)
        assert "Traceback" not in service.log()
        assert service.log().endswith("stopped\n")
        assert_nothing_is_left_in(tmp_path / "data")

    @SIGNALS
    def test_given_twice_leaves_no_time(self, start_service: StartService, tmp_path: Path, number: int) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), grace="3600")
        with connected(service.address) as wire:
            restless(wire)
            recalls(wire, service, 3, ENDLESS)
            service.process.send_signal(number)
            until(lambda: "stopping: calls in flight have 3600 s to finish" in service.log())
            service.process.send_signal(number)
            assert status_of(service) == 0
        assert "Traceback" not in service.log()
        assert_nothing_is_left_in(tmp_path / "data")

    def test_ends_the_watching_of_health_once_the_grace_is_over(
        self, start_service: StartService, tmp_path: Path
    ) -> None:
        service = start_service(data_dir=str(tmp_path / "data"), grace="1")
        with connected(service.address) as wire:
            watched = health_pb2_grpc.HealthStub(wire.channel).Watch(health_pb2.HealthCheckRequest())
            assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
            service.process.send_signal(signal.SIGTERM)
            assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert status_of(service) == 0
        assert "Traceback" not in service.log()


class TestASignalWhileTheServiceStarts:
    """Ends it at once, with status 0 and nothing left behind."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return tmp_path / "data"

    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        return tmp_path / "log"

    @contextmanager
    def starting(self, data: Path, log: Path, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
        with (
            log.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, "-m", "hopfield_service", "--listen", "127.0.0.1:0", "--data-dir", str(data)],
                env=inherited | environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
            ) as process,
        ):
            yield process
            process.kill()

    def assert_ended(self, process: "subprocess.Popen[bytes]", data: Path, log: Path) -> None:
        assert process.wait(60) == 0
        assert "Traceback" not in log.read_text()
        assert_nothing_is_left_in(data)

    @SIGNALS
    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs to see which signals are handled")
    def test_while_it_loads_its_code(self, data: Path, log: Path, number: int) -> None:
        with self.starting(data, log) as process:
            status = Path(f"/proc/{process.pid}/status")

            def handles_both() -> bool:
                handled = int(status.read_text().partition("SigCgt:")[2].split()[0], 16)
                # SIGINT is handled by Python from the beginning, and by the service before SIGTERM is.
                return bool(handled >> (signal.SIGTERM - 1) & 1)

            until(handles_both)
            process.send_signal(number)
            self.assert_ended(process, data, log)
        assert log.read_text() == ""
        assert not data.exists()

    @SIGNALS
    @pytest.mark.parametrize("moment", ["service.lock", "valkey.lock", "valkey.log", "valkey.sock"])
    def test_while_its_valkey_starts(self, data: Path, log: Path, moment: str, number: int) -> None:
        with self.starting(data, log) as process:
            until((data / moment).exists)
            process.send_signal(number)
            self.assert_ended(process, data, log)
        assert log.read_text().endswith("stopped\n")

    @SIGNALS
    def test_while_it_compiles(self, data: Path, log: Path, tmp_path: Path, number: int) -> None:
        with self.starting(data, log, NUMBA_CACHE_DIR=str(tmp_path / "nothing compiled yet")) as process:
            until(lambda: "warming the kernels" in log.read_text())
            process.send_signal(number)
            self.assert_ended(process, data, log)
        # It did not first compile to the end.
        assert "serving after" not in log.read_text()
        assert log.read_text().endswith("stopped\n")


class TestAPrivateValkeyThatEnds:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return tmp_path / "data"

    @pytest.fixture
    def service(self, start_service: StartService, data: Path) -> ServiceProcess:
        return start_service(data_dir=str(data), grace="1")

    def stored(self, wire: Wire, label: str) -> bool:
        """Whether a pattern could be stored; else the storage was away."""
        request = memory_service_pb2.StorePatternsRequest(
            name="m", patterns=signs([1, -1]), labels=[label], replace=True
        )
        try:
            wire.memory.StorePatterns(request)
        except grpc.RpcError as error:
            if refusal(error).code is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    def test_is_started_anew_and_has_what_was_stored(self, service: ServiceProcess, data: Path) -> None:
        with connected(service.address) as wire:
            made(wire, "m", pairwise(2), signs([1, 1]))
            for count in range(1, 4):
                assert self.stored(wire, f"before {count}")
                (valkey,) = valkeys_in(data)
                valkey.kill()
                until(lambda: service.log().count("starting it anew") == count)  # noqa: B023 - called here alone
                until(lambda: self.stored(wire, f"after {count}"))  # noqa: B023 - called here alone
            page = wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="m"))
            assert {"0", *(f"{when} {count}" for count in (1, 2, 3) for when in ("before", "after"))} == {*page.labels}
        errors = [line for line in service.log().splitlines() if " ERROR " in line]
        assert len(errors) == 3
        assert f"process {valkey.pid}) on {data} was killed by SIGKILL" in errors[-1]
        assert f"Its log is {data / 'valkey.log'}" in errors[-1]
        assert service.terminate() == 0
        assert_nothing_is_left_in(data)

    def test_is_started_anew_though_another_service_had_started_it(
        self, service: ServiceProcess, start_service: StartService, data: Path
    ) -> None:
        service.kill()
        second = start_service(data_dir=str(data))
        with connected(second.address) as wire:
            made(wire, "m", pairwise(2), signs([1, 1]))
            (valkey,) = valkeys_in(data)
            valkey.kill()
            until(lambda: self.stored(wire, "after") and len(valkeys_in(data)) == 1)
        assert second.terminate() == 0
        assert_nothing_is_left_in(data)

    def test_ends_the_service_with_status_1_where_it_cannot_be_started_anew(
        self, service: ServiceProcess, data: Path
    ) -> None:
        (log,) = data.rglob("*.incr.aof")
        log.write_bytes(b"this is no command\r\n")
        (valkey,) = valkeys_in(data)
        valkey.kill()
        assert status_of(service) == 1
        assert "Traceback" not in service.log()
        assert f"hopfield-server: the Valkey server on {data} ended with exit code 1" in service.log()
        assert_nothing_is_left_in(data)

    def test_at_the_same_time_as_the_service_leaves_nothing(self, service: ServiceProcess, data: Path) -> None:
        (valkey,) = valkeys_in(data)
        valkey.kill()
        assert service.terminate() == 0
        assert "Traceback" not in service.log()
        assert_nothing_is_left_in(data)

    def test_may_be_told_to_end_while_it_is_started_anew(self, service: ServiceProcess, data: Path) -> None:
        (valkey,) = valkeys_in(data)
        valkey.kill()
        until(lambda: "starting it anew" in service.log())
        assert service.terminate() == 0
        assert "Traceback" not in service.log()
        assert_nothing_is_left_in(data)
