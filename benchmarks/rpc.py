"""`python -m benchmarks.rpc`: what serving costs, as ratios to what it cannot be faster than; writes benchmarks/results/rpc.json.

Everything is measured against a service of its own on this machine, by the clock on the wall, since calls wait. Contenders take turns
within a round, so that whatever else the machine does meets all of them.
"""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

# One thread, before numpy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import grpc
import numpy as np
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray
from rich.console import Console
from tests.processes import ServiceProcess

from benchmarks import tables
from benchmarks.echo_server import METHOD
from benchmarks.measuring import Row
from hopfield.v1 import patterns_pb2, recall_service_pb2
from hopfield.v1.recall_service_pb2_grpc import RecallServiceStub
from hopfield_client import HopfieldClient, Memory
from hopfield_service.core.interruption import never
from hopfield_service.core.network import PatternNetwork, Store
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.core.patterns import Queries, pack

LOAD = 0.05
FLIPPED = 0.1
UNARY_NEURONS = (100, 256, 1000)
ROUNDS = 15
TURNS, CALLS = 10, 20
IN_FLIGHT = 16
BATCH, BATCH_NEURONS = 256, 1000
STREAMED, STREAM_NEURONS = 100_000, 256
MEBIBYTE = 1 << 20

Call = Callable[[], object]


def main(console: Console) -> None:
    """Measures, prints tables, and writes the results."""
    progress = Console(stderr=True)
    results: dict[str, list[Row]] = {}
    for title, measure in MEASURES.items():
        with progress.status(title):
            results[title] = measure()
        console.print(tables.of_rows(title, results[title]))
    path = Path(__file__).parent / "results" / "rpc.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(tables.as_json(results, {}, {}) + "\n", "utf-8")


# What is measured


def patterns(neurons: int) -> NDArray[np.int8]:
    """Random patterns at the load."""
    random = np.random.default_rng(neurons)
    return np.where(random.random((max(1, round(LOAD * neurons)), neurons)) < 0.5, 1, -1).astype(np.int8)


def queries(neurons: int, count: int) -> NDArray[np.int8]:
    """Stored patterns with a tenth of the neurons inverted."""
    random = np.random.default_rng([neurons, count])
    stored = patterns(neurons)
    chosen = stored[random.integers(len(stored), size=count)].copy()
    chosen[random.random(chosen.shape) < FLIPPED] *= -1
    return chosen


@contextmanager
def serving(**settings: str) -> Iterator[ServiceProcess]:
    """A service, with fsync as in production and nobody else on it."""
    with tempfile.TemporaryDirectory(prefix="hopfield-benchmarks-") as directory:
        given = {f"HOPFIELD_{name.upper()}": value for name, value in settings.items()}
        with ServiceProcess(Path(directory), {"HOPFIELD_DATA_DIR": f"{directory}/data", **given}) as service:
            yield service


def made(client: HopfieldClient, neurons: int) -> Memory:
    memory = client.create_memory(f"n{neurons}", neurons, exist_ok=True)
    memory.store(patterns(neurons), replace=True)
    return memory


def seconds(call: Call, calls: int = 1) -> list[float]:
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def unary() -> list[Row]:
    """Latency of one call at a time, beside a health check, which does nothing, of the same server."""
    with (
        serving() as service,
        HopfieldClient(service.address) as client,
        grpc.insecure_channel(service.address) as channel,
    ):
        calls = unary_calls(client, RecallServiceStub(channel).Recall, health_pb2_grpc.HealthStub(channel).Check)
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            round_: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(TURNS):
                for name, call in calls.items():
                    # The first meets caches full of what the contender before it needed.
                    round_[name] += seconds(call, CALLS)[1:]
            for name, measured in round_.items():
                times[name].append(median(measured))
    empty = times.pop("empty")
    rows = [Row("an empty call", [1e3 * time_ for time_ in empty], "ms")]
    for name, measured in times.items():
        rows.append(Row(f"{name}, latency of an empty call", ratios(measured, empty), must=1.25, stretch=1.1))
    return rows


def unary_calls(client: HopfieldClient, recall: Callable[..., object], check: Callable[..., object]) -> dict[str, Call]:
    calls: dict[str, Call] = {"empty": lambda: check(health_pb2.HealthCheckRequest())}
    for neurons in UNARY_NEURONS:
        made(client, neurons)
        bits = pack(queries(neurons, 1)).tobytes()
        query = patterns_pb2.Patterns(count=1, neurons=neurons, bits=bits)
        request = recall_service_pb2.RecallRequest(name=f"n{neurons}", query=query)
        calls[f"Recall, N = {neurons}"] = lambda request=request: recall(request)  # type: ignore[misc]
    return calls


@dataclass(frozen=True)
class Rate:
    """What a server answered in a while: calls a second by the clock on the wall, and a second of its own processor time."""

    by_clock: float
    by_processor: float


def throughput() -> list[Row]:
    """Calls a second, some in flight, beside a health check of the same server."""
    with serving() as service, HopfieldClient(service.address) as client:
        rates = asyncio.run(rates_of(service, client))
    empty = rates.pop("empty")
    rows = [Row("empty calls", [one.by_clock for one in empty], "/s")]
    for name, measured in rates.items():
        by_clock = [of.by_clock / to.by_clock for of, to in zip(measured, empty, strict=True)]
        by_processor = [of.by_processor / to.by_processor for of, to in zip(measured, empty, strict=True)]
        rows += [
            Row(name, [one.by_clock for one in measured], "/s"),
            Row(f"{name}, throughput of empty calls", by_clock, must=0.8, stretch=0.9, at_least=True),
            Row("the same, by the processor time of the server", by_processor),
        ]
    return rows


async def rates_of(service: ServiceProcess, client: HopfieldClient) -> dict[str, list[Rate]]:
    server = psutil.Process(service.process.pid)
    async with grpc.aio.insecure_channel(service.address) as channel:
        calls = unary_calls(client, RecallServiceStub(channel).Recall, health_pb2_grpc.HealthStub(channel).Check)
        rates: dict[str, list[Rate]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                rates[name].append(await rate(call, server))
    return rates


async def rate(call: Any, server: psutil.Process, for_seconds: float = 0.4) -> Rate:
    answered = 0
    before = server.cpu_times()
    began = time.perf_counter()

    async def keep_calling() -> None:
        nonlocal answered
        while time.perf_counter() < began + for_seconds:
            await call()
            answered += 1

    await asyncio.gather(*(keep_calling() for _ in range(IN_FLIGHT)))
    after = server.cpu_times()
    busy = after.user - before.user + after.system - before.system
    return Rate(answered / (time.perf_counter() - began), answered / busy)


def batch() -> list[Row]:
    """A batch through the client, beside the core in this process and an echo of the same message by a bare server."""
    asked = queries(BATCH_NEURONS, BATCH)
    network, packed = network_of(BATCH_NEURONS), Queries.of(asked)
    message = recall_service_pb2.BatchRecallRequest(
        name=f"n{BATCH_NEURONS}",
        queries=patterns_pb2.Patterns(count=BATCH, neurons=BATCH_NEURONS, bits=pack(asked).tobytes()),
    ).SerializeToString()
    with serving() as service, HopfieldClient(service.address) as client, echoing() as echo:
        memory = made(client, BATCH_NEURONS)
        calls: dict[str, Call] = {
            "client": lambda: memory.recall_batch(asked, seed=0),
            "core": lambda: recalled(network, packed),
            "echo": lambda: echo(message),
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            call()
        for _ in range(3 * ROUNDS):
            for name, call in calls.items():
                times[name] += seconds(call)
    over = [
        (through - core) / echo_time
        for through, core, echo_time in zip(times["client"], times["core"], times["echo"], strict=True)
    ]
    return [
        *(Row(name, [1e3 * time_ for time_ in measured], "ms") for name, measured in times.items()),
        Row("client less core, of an echo", over, must=1.5, stretch=1.0),
        Row("client, of core", ratios(times["client"], times["core"])),
    ]


def network_of(neurons: int) -> PatternNetwork:
    stored = patterns(neurons)
    labels = tuple(str(k) for k in range(len(stored)))
    return PairwiseSpec(neurons).empty().apply(Store(pack(stored), labels), never)


def recalled(network: PatternNetwork, asked: Queries) -> None:
    for _ in network.recall_batch(asked, RecallOptions(seed=0), never):
        pass


@contextmanager
def echoing() -> Iterator[Callable[[bytes], bytes]]:
    """What sends bytes to a bare server in a process of its own, and gets them back."""
    command = [sys.executable, "-m", "benchmarks.echo_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with grpc.insecure_channel(address) as channel:
            yield channel.unary_unary(METHOD, None, None)


def stream() -> list[Row]:
    """A long stream, beside calls one at a time through the same client; and what either side holds of it."""
    with serving() as service, HopfieldClient(service.address, timeout=60.0) as client:
        memory = made(client, STREAM_NEURONS)
        asked = queries(STREAM_NEURONS, 1000)
        server = psutil.Process(service.process.pid)
        rates: dict[str, list[float]] = {"one at a time": [], "stream": []}
        consume(memory.recall_stream(asked))
        server_before, client_before = server.memory_info().rss, peak_of_this_process()
        for _ in range(3):
            rates["one at a time"].append(len(asked) / sum(seconds(lambda: [memory.recall(query) for query in asked])))
            endless = (asked[k % len(asked)] for k in range(STREAMED))
            rates["stream"].append(STREAMED / sum(seconds(lambda: consume(memory.recall_stream(endless)))))  # noqa: B023
        server_grew, client_grew = peak_of(server) - server_before, peak_of_this_process() - client_before
    return [
        *(Row(name, measured, "/s") for name, measured in rates.items()),
        Row(
            "stream, of one at a time",
            ratios(rates["stream"], rates["one at a time"]),
            must=20,
            stretch=50,
            at_least=True,
        ),
        Row("growth of the server", [server_grew / MEBIBYTE], "MiB"),
        Row("growth of the client", [client_grew / MEBIBYTE], "MiB"),
    ]


def consume(answers: Iterator[object]) -> None:
    for _ in answers:
        pass


def peak_of(process: psutil.Process) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def peak_of_this_process() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def start() -> list[Row]:
    """From the start of the process to the line that says that it serves, kernels compiled before; and what it then holds."""
    times, idle, grown = [], [], []
    for _ in range(5):
        began = time.perf_counter()
        with serving() as service, HopfieldClient(service.address) as client:
            times.append(time.perf_counter() - began)
            server = psutil.Process(service.process.pid)
            idle.append(server.memory_full_info().uss / MEBIBYTE)
            made(client, 4096)
            grown.append(server.memory_full_info().uss / MEBIBYTE - idle[-1])
    return [
        Row("serving after start, kernels compiled before", times, "s", must=3, stretch=1.5),
        Row("memory of an idle server", idle, "MiB"),
        Row("and of a Hebbian memory of N = 4096, as it was stored", grown, "MiB"),
    ]


def workers() -> list[Row]:
    """Calls a second of two load generators, each a process, to one worker and to two."""
    rates: Mapping[int, list[float]] = {1: [], 2: []}
    with serving(workers="1") as one, serving(workers="2") as two:
        for service in (one, two):
            with HopfieldClient(service.address) as client:
                made(client, STREAM_NEURONS)
        for _ in range(3):
            for count, service in ((1, one), (2, two)):
                rates[count].append(load(service.address, generators=2, for_seconds=3.0))
    return [
        Row(f"Recall, N = {STREAM_NEURONS}, 1 worker", rates[1], "/s"),
        Row(f"Recall, N = {STREAM_NEURONS}, 2 workers", rates[2], "/s"),
        Row("2 workers, of 1 worker", ratios(rates[2], rates[1])),
    ]


def load(address: str, generators: int, for_seconds: float) -> float:
    command = [
        sys.executable,
        "-m",
        "benchmarks.load",
        address,
        f"n{STREAM_NEURONS}",
        str(STREAM_NEURONS),
        str(for_seconds),
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(generators)]
    return sum(float(process.communicate()[0]) for process in running)


def ratios(of: list[float], to: list[float]) -> list[float]:
    return [one / other for one, other in zip(of, to, strict=True)]


MEASURES: Mapping[str, Callable[[], list[Row]]] = {
    "One call at a time": unary,
    f"{IN_FLIGHT} calls in flight": throughput,
    f"BatchRecall of {BATCH}, N = {BATCH_NEURONS}": batch,
    f"recall_stream of {STREAMED:,}, N = {STREAM_NEURONS}": stream,
    "Start, and memory": start,
    "Workers": workers,
}


if __name__ == "__main__":
    main(Console(highlight=False, width=130))
