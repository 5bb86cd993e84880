"""Whatever one caller sends, the process keeps its memory and serves everybody else, with the settings of the container."""

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import grpc
import numpy as np
import pytest
from tests.http2 import DATA, RawConnection, frame
from tests.processes import ServiceProcess, StartService
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, refusal, signs

from hopfield.v1 import memory_service_pb2, patterns_pb2, recall_service_pb2, server_service_pb2
from hopfield_client import HopfieldClient, Overloaded

COMPOSE = (Path(__file__).parents[2] / "deploy" / "compose.yaml").read_text()
SETTINGS = {
    name.lower(): value for name, value in re.findall(r"HOPFIELD_(\w+): \$\{\w+:-(\d+)\}", COMPOSE) if name != "PORT"
}
MEMORY = int(re.findall(r"mem_limit: (\d+)m", COMPOSE)[0]) << 20
MESSAGE = int(SETTINGS["max_message_bytes"])

Result = TypeVar("Result")

RECALL, STORE = "/hopfield.v1.RecallService/Recall", "/hopfield.v1.MemoryService/StorePatterns"


@pytest.fixture
def contained(start_service: StartService, tmp_path: Path) -> ServiceProcess:
    """A service with the settings of the container."""
    return start_service(**SETTINGS, data_dir=str(tmp_path / "data"))


def status_of(service: ServiceProcess, field: str) -> int:
    """Bytes, of /proc/PID/status."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) << 10


def patiently(call: Callable[[], Result]) -> Result:
    """What a call gives, which is repeated when the server asks for it."""
    while True:
        try:
            return call()
        except Overloaded as error:
            time.sleep(error.retry_after or 0)


class Bystander:
    """Recalls, stores and asks how the server is, again and again, until it is told to stop."""

    def __init__(self, address: str) -> None:
        self.asked_seconds: list[float] = []
        self.recalled = self.stored = 0
        self._address = address
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        patterns = np.where(np.random.default_rng(0).random((5, 100)) < 0.5, 1, -1)
        options = [("grpc.use_local_subchannel_pool", 1)]
        try:
            with (
                HopfieldClient(self._address, timeout=60) as client,
                grpc.insecure_channel(self._address, options) as channel,
            ):
                memory = patiently(lambda: client.create_memory("bystander", 100))
                patiently(lambda: memory.store(patterns, list("abcde")))
                info = channel.unary_unary("/hopfield.v1.ServerService/GetServerInfo", None, None)
                while not self._stop.wait(0.02):
                    began = time.monotonic()
                    info(server_service_pb2.GetServerInfoRequest().SerializeToString(), timeout=60)
                    self.asked_seconds.append(time.monotonic() - began)
                    assert patiently(lambda: memory.recall(patterns[0])).label == "a"
                    self.recalled += 1
                    patiently(lambda: memory.store(patterns[4:], ["e"], replace=True))
                    self.stored += 1
        except Exception as error:  # noqa: BLE001 - raised where the test waits for it
            self._error = error

    @contextmanager
    def around(self) -> Iterator[None]:
        """Runs while something else happens; raises what it met."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
        if self._error is not None:
            raise self._error


def sent(address: str, connections: int, seconds: float) -> dict[str, Counter[str]]:
    """What a hostile caller was answered; see hostile.py."""
    command = [sys.executable, "-m", "tests.e2e.hostile", address, str(connections), str(seconds), str(MESSAGE)]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[2]).stdout
    return {name: Counter(counted) for name, counted in json.loads(out).items()}


def designed(answers: dict[str, Counter[str]]) -> bool:
    """Whether no call was answered by what only a defect, or nobody, answers with."""
    return not {"UNKNOWN", "INTERNAL", "CANCELLED"} & {status for counted in answers.values() for status in counted}


def test_a_bystander_is_served_while_each_hostile_message_comes(contained: ServiceProcess) -> None:
    bystander = Bystander(contained.address)
    with bystander.around():
        answers = sent(contained.address, connections=1, seconds=0)
    assert designed(answers)
    assert all(counted.total() == 1 for counted in answers.values())
    assert bystander.recalled
    assert bystander.stored
    assert status_of(contained, "VmHWM") < MEMORY
    assert "Traceback" not in contained.log()


def test_the_process_keeps_its_memory_under_hostile_messages_from_many_connections(contained: ServiceProcess) -> None:
    bystander = Bystander(contained.address)
    with bystander.around():
        answers = sent(contained.address, connections=16, seconds=6)
    assert designed(answers)
    assert bystander.recalled
    assert bystander.stored
    assert status_of(contained, "VmHWM") < MEMORY


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("connections", [1, 50])
def test_everybody_else_is_served_for_a_minute(contained: ServiceProcess, connections: int) -> None:
    bystander = Bystander(contained.address)
    with bystander.around():
        answers = sent(contained.address, connections, seconds=60)
    print(f"\n{connections} connections: {sum(map(Counter.total, answers.values()))} hostile calls, ", end="")
    print(f"{bystander.recalled} recalls and {bystander.stored} stores, GetServerInfo", end=" ")
    print(
        f"{1e3 * median(bystander.asked_seconds):.0f} ms, at worst {1e3 * max(bystander.asked_seconds):.0f} ms, ",
        end="",
    )
    print(f"memory {status_of(contained, 'VmHWM') / 1e6:.0f} MB")
    assert designed(answers)
    assert status_of(contained, "VmHWM") < MEMORY
    # As promised on two idle cores.
    assert median(bystander.asked_seconds) < 0.25
    assert max(bystander.asked_seconds) < 1


def test_a_refused_request_is_freed_with_its_answer(contained: ServiceProcess) -> None:
    count = MESSAGE // 128 - 8
    queries = patterns_pb2.Patterns(count=count, neurons=1024, bits=bytes(128 * count))
    unknown = recall_service_pb2.BatchRecallRequest(name="none", queries=queries)
    with connected(contained.address) as wire:
        for repeats in (5, 25):
            for _ in range(repeats):
                with pytest.raises(grpc.RpcError) as caught:
                    wire.recall.BatchRecall(unknown)
                assert refusal(caught.value).reason == "MEMORY_NOT_FOUND"
            if repeats == 5:
                before = status_of(contained, "VmRSS")
    # The first five have made room for one.
    assert status_of(contained, "VmRSS") - before < 4 * MESSAGE


def at_once(wire: Wire, name: str, count: int) -> Counter[tuple[str, str]]:
    """The statuses and reasons that so many recalls of some milliseconds, begun at once, are answered with."""
    options = recall_service_pb2.RecallOptions(
        update=recall_service_pb2.UPDATE_RULE_GLAUBER, beta=1.0, max_iterations=40
    )
    request = recall_service_pb2.RecallRequest(
        name=name,
        query=patterns_pb2.Patterns(count=1, neurons=1024, bits=bytes(128)),
        options=options,
    )
    answers: Counter[tuple[str, str]] = Counter()
    for call in [wire.recall.Recall.future(request, timeout=150) for _ in range(count)]:
        error: Any = call.exception()
        if error is None:
            answers["OK", ""] += 1
        else:
            told = refusal(error)
            assert told.retry_seconds, told
            answers[told.code.name, told.reason] += 1
    return answers


@pytest.mark.parametrize("count", [2000, pytest.param(20_000, marks=pytest.mark.long)])
def test_each_of_many_calls_at_once_is_answered_or_told_when_to_try_again(
    start_service: StartService, tmp_path: Path, count: int
) -> None:
    service = start_service(max_calls="50", data_dir=str(tmp_path / "data"))
    with connected(service.address, own_connection=True) as wire:
        bits = patterns_pb2.Patterns(count=1, neurons=1024, bits=bytes(128))
        made(wire, "m", pairwise(1024), bits)
        answers = at_once(wire, "m", count)
    assert set(answers) <= {("OK", ""), ("RESOURCE_EXHAUSTED", "OVERLOADED")}
    assert "Traceback" not in service.log()


def test_messages_that_never_come_do_not_keep_others_from_being_read(contained: ServiceProcess) -> None:
    with connected(contained.address) as wire, RawConnection(contained.address) as hostile:
        made(wire, "m", pairwise(4), signs([1, 1, 1, 1]))
        for _ in range(100):
            stream = hostile.begin(RECALL)
            # The length of a message, and the first byte of it.
            hostile.send(frame(DATA, 0, stream, b"\x00" + (1 << 20).to_bytes(4, "big") + b"\n"))
        hostile.ping()
        query = recall_service_pb2.RecallRequest(name="m", query=signs([1, 1, 1, -1]))
        assert wire.recall.Recall(query, timeout=60).label == "0"
        assert wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest(), timeout=60).version


def test_calls_that_are_reset_at_once_leave_others_alone(contained: ServiceProcess) -> None:
    bystander = Bystander(contained.address)
    with bystander.around(), RawConnection(contained.address) as hostile:
        for _ in range(50):
            hostile.send(hostile.begun_and_reset(STORE, 200))
        until(lambda: bystander.stored, within=60)
    assert status_of(contained, "VmHWM") < MEMORY
    assert "Traceback" not in contained.log()


def test_an_import_takes_little_more_than_its_matrix(start_service: StartService, tmp_path: Path) -> None:
    neurons = 4096
    matrix = 8 * neurons**2
    service = start_service(data_dir=str(tmp_path / "data"), max_snapshot_bytes="0")

    def parts() -> Iterator[memory_service_pb2.ImportWeightsRequest]:
        header = memory_service_pb2.ImportWeightsHeader(name="m", neurons=neurons)
        yield memory_service_pb2.ImportWeightsRequest(header=header)
        rows = bytes(1 << 20)
        for _ in range(matrix >> 20):
            yield memory_service_pb2.ImportWeightsRequest(rows=rows)

    with connected(service.address) as wire:
        before = status_of(service, "VmHWM")
        wire.memory.ImportWeights(parts())
    assert status_of(service, "VmHWM") - before < 2 * matrix
