"""SIGKILL of the service, of Redis, or of both, at a random moment under load: nothing acknowledged is lost, nothing is half there."""

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import numpy as np
import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import hebb, recall, weights
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 48
# Patterns that are stored in one request, all of them or none.
TOGETHER = 3
MEMORIES = {
    "hebbian": memory_pb2.LEARNING_RULE_HEBBIAN,
    "storkey": memory_pb2.LEARNING_RULE_STORKEY,
    "pseudo-inverse": memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
}
KINDS = ("the service", "Redis", "both")
# The longest that anything staged, replaced, or kept to answer repeats, lives.
LONGEST_TTL = 3600


def test_three_sigkills(valkey: ValkeyProcess, start_service: StartService) -> None:
    survive(valkey, start_service, rounds=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_sigkills(valkey: ValkeyProcess, start_service: StartService) -> None:
    survive(valkey, start_service, rounds=50)


class Load:
    """Writers who store patterns, and make and delete memories, through a service that may go at any moment."""

    def __init__(self) -> None:
        self.sent: dict[str, set[str]] = {name: set() for name in MEMORIES}
        self.acknowledged: dict[str, set[str]] = {name: set() for name in MEMORIES}
        self.count = 0
        self._round = 0

    @contextmanager
    def running(self, address: str) -> Iterator[None]:
        self._round += 1
        done = threading.Event()
        with ThreadPoolExecutor(2 * len(MEMORIES) + 1) as pool:
            writers = [
                pool.submit(self._store, address, name, f"{self._round}-{writer}", done)
                for name in MEMORIES
                for writer in range(2)
            ]
            writers.append(pool.submit(self._make_and_delete, address, done))
            try:
                yield
            finally:
                done.set()
                for writer in writers:
                    writer.result()

    def _store(self, address: str, name: str, writer: str, done: threading.Event) -> None:
        with connected(address) as wire:
            for k in range(10_000):
                if done.is_set():
                    return
                batch = f"{writer}-{k}"
                labels = [f"{batch}/{i}" for i in range(TOGETHER)]
                self.sent[name].add(batch)
                request = memory_service_pb2.StorePatternsRequest(
                    name=name, patterns=signs(*map(pattern_of, labels)), labels=labels
                )
                try:
                    wire.memory.StorePatterns(request, timeout=5)
                except grpc.RpcError:
                    # Whether it was made is not known.
                    continue
                self.acknowledged[name].add(batch)
                self.count += 1

    def _make_and_delete(self, address: str, done: threading.Event) -> None:
        with connected(address) as wire:
            for k in range(10_000):
                if done.is_set():
                    return
                name = f"passing-{self._round}-{k}"
                with suppress(grpc.RpcError):
                    made(wire, name, pairwise(N), signs(pattern_of(name)))
                    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name), timeout=5)


def pattern_of(label: str) -> list[int]:
    """The pattern that a label stands for: whoever knows the one knows the other."""
    seed = int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "big")
    pattern: list[int] = np.random.default_rng(seed).choice([-1, 1], N).tolist()
    return pattern


def survive(valkey: ValkeyProcess, start_service: StartService, rounds: int) -> None:
    began = time.monotonic()
    load, random = Load(), np.random.default_rng(7)
    service = start_service(redis_url=valkey.url)
    with connected(service.address) as wire:
        for name, rule in MEMORIES.items():
            made(wire, name, pairwise(N, rule=rule))
    for number in range(rounds):
        kind = KINDS[number % len(KINDS)]
        with load.running(service.address):
            enough = load.count + int(random.integers(1, 60))
            until(lambda enough=enough: load.count >= enough, within=60)  # type: ignore[misc]
            kill(kind, service, valkey, random)
        if kind != "Redis":
            service = start_service(redis_url=valkey.url)
        else:
            until(lambda service=service: answers(service))  # type: ignore[misc]
        with connected(service.address) as wire:
            for name in MEMORIES:
                check_memory(wire, name, load)
        with valkey.client() as redis:
            # A snapshot that is swapped in while one looks makes some for a moment.
            until(lambda redis=redis: litter(redis) == [])  # type: ignore[misc]
    # A replica that has nothing loaded reads the same.
    with connected(start_service(redis_url=valkey.url).address) as cold, connected(service.address) as wire:
        for name in MEMORIES:
            check_memory(cold, name, load)
            np.testing.assert_array_equal(weights(cold, name), weights(wire, name))
    unknown = sum(len(load.sent[name] - load.acknowledged[name]) for name in MEMORIES)
    print(
        f"\n{rounds} SIGKILLs of the service, Redis, or both: {load.count} acknowledged stores of {TOGETHER} patterns, all there; "
        f"{unknown} without an answer, each there whole or not at all; no litter; {time.monotonic() - began:.0f} s"
    )


def kill(kind: str, service: ServiceProcess, valkey: ValkeyProcess, random: np.random.Generator) -> None:
    if kind == "the service":
        service.kill()
    elif kind == "Redis":
        valkey.kill()
        valkey.start()
    else:
        victims = [service.kill, valkey.kill]
        for victim in victims if random.random() < 0.5 else reversed(victims):
            victim()
        valkey.start()


def answers(service: ServiceProcess) -> bool:
    with connected(service.address) as wire:
        try:
            wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="hebbian"))
        except grpc.RpcError:
            return False
    return True


def check_memory(wire: Wire, name: str, load: Load) -> None:
    memory = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory
    token = memory_pb2.FreshnessToken(uid=memory.uid, revision=memory.revision)
    labels: list[str] = []
    request = memory_service_pb2.ListPatternsRequest(name=name, token=token, page_size=1000)
    while not labels or request.page_token:
        page = wire.memory.ListPatterns(request)
        labels += page.labels
        request.page_token = page.next_page_token
        bits = np.frombuffer(page.patterns.bits, np.uint8).reshape(page.patterns.count, -1)
        patterns = 2 * np.unpackbits(bits, axis=1, count=N, bitorder="little").astype(int) - 1
        assert patterns.tolist() == [pattern_of(label) for label in page.labels]
    assert memory.pattern_count == len(labels) == len(set(labels))
    batches = {label.rpartition("/")[0] for label in labels}
    assert len(labels) == TOGETHER * len(batches), "a store is half there"
    assert load.acknowledged[name] <= batches, "an acknowledged store is lost"
    assert batches <= load.sent[name]
    assert recall(wire, name, pattern_of(labels[0]), memory).revision == memory.revision
    if name == "hebbian":
        np.testing.assert_array_equal(weights(wire, name), hebb(*map(pattern_of, labels)))


def litter(redis: redis_client.Redis) -> list[bytes]:
    """Keys that will not expire, and that no memory refers to."""
    found = []
    keys: Any = redis.keys("hopfield:*")
    for key in keys:
        ttl: Any = redis.ttl(key)
        # -2: gone since the keys were listed.
        if ttl in {-2, *range(1, LONGEST_TTL + 1)} or key in {b"hopfield:names", b"hopfield:{}:store"}:
            continue
        name = key.partition(b"{")[2].partition(b"}")[0].decode()
        head: Any = redis.hgetall(f"hopfield:{{{name}}}:head")
        parts = key.decode().rpartition("}:")[2].split(":")
        uid, manifests = head.get(b"uid", b"").decode(), (head.get(b"snapshot", b"") + head.get(b"base", b"")).decode()
        referred_to = parts[:2] == [uid, "chunk"] and f'"{parts[2]}"' in manifests
        if parts not in (["head"], [uid, "log"]) and not referred_to:
            found.append(key)
    return found
