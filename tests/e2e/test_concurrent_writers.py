"""Many writers through several replicas: every store is made once, and no recall sees anything but what some of them add up to."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
from tests.processes import StartService, ValkeyProcess
from tests.replicas import hebb, random_patterns, recall, weights
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 64
QUERY = random_patterns(1, N, seed=99)[0]


@dataclass
class Recalls:
    """What recalls saw while others stored: the energy of one query, at each revision they were answered from."""

    energies: dict[int, set[float]] = field(default_factory=dict)
    count: int = 0


def test_two_replicas_four_writers_each(valkey: ValkeyProcess, start_service: StartService) -> None:
    store_together(valkey, start_service, writers=4, stores=25)


@pytest.mark.long
def test_two_replicas_eight_writers_each_two_hundred_stores_a_writer(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    store_together(valkey, start_service, writers=8, stores=200)


def store_together(valkey: ValkeyProcess, start_service: StartService, writers: int, stores: int) -> None:
    addresses = [start_service(redis_url=valkey.url).address for _ in range(2)]
    total = len(addresses) * writers * stores
    with connected(addresses[0]) as wire:
        made(wire, "m", pairwise(N))
    done = threading.Event()
    with ThreadPoolExecutor(2 * len(addresses) * writers) as pool:
        watching = [pool.submit(keep_recalling, address, done) for address in addresses for _ in range(2)]
        writing = [
            pool.submit(store_in_turn, address, f"{replica}-{writer}", stores)
            for replica, address in enumerate(addresses)
            for writer in range(writers)
        ]
        acknowledged = [label for each in writing for label in each.result()]
        done.set()
        recalls = [each.result() for each in watching]

    for address in addresses:
        with connected(address) as wire:
            memory = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m")).memory
            assert (memory.pattern_count, memory.revision) == (total, total)
            labels, patterns = stored(wire, memory)
            assert len(labels) == total
            assert set(labels) == set(acknowledged)
            recall(wire, "m", QUERY, memory)
            np.testing.assert_array_equal(weights(wire, "m"), hebb(*patterns))

    # E = -1/2 s'Js of the query in the fold of the first r entries of the log, for every r.
    overlaps = (np.array(patterns) @ QUERY).astype(np.int64)
    folds = -0.5 * (np.concatenate([[0], np.cumsum(overlaps**2)]) - N * np.arange(total + 1)) / N
    for seen in recalls:
        for revision, energies in seen.energies.items():
            assert energies == {folds[revision]}
    revisions = len({revision for seen in recalls for revision in seen.energies})
    assert revisions > 5, "the recalls did not run while others stored"
    print(
        f"\n{total} stores by {2 * writers} writers through 2 replicas: {len(labels)} patterns, every acknowledged label once; "
        f"{sum(seen.count for seen in recalls)} recalls meanwhile saw {revisions} revisions, each the fold of its prefix of the log"
    )


def store_in_turn(address: str, writer: str, stores: int) -> list[str]:
    acknowledged = []
    with connected(address) as wire:
        for k, pattern in enumerate(random_patterns(stores, N, seed=sum(map(ord, writer)))):
            label = f"{writer}-{k}"
            request = memory_service_pb2.StorePatternsRequest(
                name="m", patterns=signs(pattern), labels=[label], request_id=label
            )
            while label not in acknowledged:
                try:
                    wire.memory.StorePatterns(request)
                    acknowledged.append(label)
                except grpc.RpcError as error:
                    # A machine that is busy with all of this may keep Redis from answering in time: then it is asked again.
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
    return acknowledged


def keep_recalling(address: str, done: threading.Event) -> Recalls:
    seen = Recalls()
    with connected(address) as wire:
        while not done.is_set():
            answer = recall(wire, "m", QUERY)
            seen.energies.setdefault(answer.revision, set()).add(answer.initial_energy)
            seen.count += 1
    return seen


def stored(wire: Wire, seen: memory_pb2.Memory) -> tuple[list[str], list[list[int]]]:
    """Labels and patterns in the order of the log, for a caller who has seen a memory where `seen` says."""
    labels: list[str] = []
    patterns: list[list[int]] = []
    token = memory_pb2.FreshnessToken(uid=seen.uid, revision=seen.revision)
    request = memory_service_pb2.ListPatternsRequest(name="m", page_size=1000, token=token)
    while True:
        page = wire.memory.ListPatterns(request)
        labels += page.labels
        bits = np.frombuffer(page.patterns.bits, np.uint8).reshape(page.patterns.count, -1)
        patterns += (2 * np.unpackbits(bits, axis=1, count=N, bitorder="little").astype(int) - 1).tolist()
        if not page.next_page_token:
            return labels, patterns
        request.page_token = page.next_page_token
