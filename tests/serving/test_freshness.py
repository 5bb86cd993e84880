"""What one replica stores, the others recall: at once where the caller says what it has seen, and soon where it does not."""

import os
import signal
from collections.abc import Iterator

import grpc
import pytest
from tests.processes import StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, refused, store
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 40
PATTERNS = random_patterns(60, N)


@pytest.fixture
def wires(valkey: ValkeyProcess, start_service: StartService) -> Iterator[tuple[Wire, Wire]]:
    with (
        connected(start_service(redis_url=valkey.url).address) as one,
        connected(start_service(redis_url=valkey.url).address) as other,
    ):
        yield one, other


def cut_announcements(valkey: ValkeyProcess) -> None:
    """Lets nobody publish or listen any more."""
    with valkey.client() as redis:
        redis.execute_command("ACL", "SETUSER", "default", "resetchannels")
        redis.client_kill_filter(_type="pubsub")


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "pub/sub cut"])
def test_a_caller_sees_its_own_store_through_any_replica(
    wires: tuple[Wire, Wire], valkey: ValkeyProcess, announced: bool
) -> None:
    one, other = wires
    made(one, "m", pairwise(N))
    recall(other, "m", PATTERNS[0])
    if not announced:
        cut_announcements(valkey)
    for k, pattern in enumerate(PATTERNS):
        seen = store(one if k % 2 else other, "m", pattern)
        answer = recall(other if k % 2 else one, "m", pattern, seen)
        assert (answer.uid, answer.revision) == (seen.uid, k + 1)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "pub/sub cut"])
def test_a_caller_who_says_nothing_sees_it_soon(
    wires: tuple[Wire, Wire], valkey: ValkeyProcess, announced: bool
) -> None:
    one, other = wires
    made(one, "m", pairwise(N))
    recall(other, "m", PATTERNS[0])
    if not announced:
        cut_announcements(valkey)
    for pattern in PATTERNS[:3]:
        revision = store(one, "m", pattern).revision
        until(lambda revision=revision: recall(other, "m", PATTERNS[0]).revision == revision)  # type: ignore[misc]


def test_a_replica_that_hears_of_no_commits_says_so_once_and_asks(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    cut_announcements(valkey)
    replicas = [start_service(redis_url=valkey.url) for _ in range(2)]
    with connected(replicas[0].address) as one, connected(replicas[1].address) as other:
        made(one, "m", pairwise(N))
        recall(other, "m", PATTERNS[0])
        # Each is followed within a question or two, so that listening was tried again several times.
        for revision in range(1, 6):
            store(one, "m", PATTERNS[revision])
            until(lambda revision=revision: recall(other, "m", PATTERNS[0]).revision == revision)  # type: ignore[misc]
    # They log to the same file.
    assert replicas[0].log().count("commits of other replicas are not heard of") == 2


def test_a_token_from_the_future_is_refused(wires: tuple[Wire, Wire]) -> None:
    one, other = wires
    memory = made(one, "m", pairwise(N))
    recall(other, "m", PATTERNS[0])
    ahead = memory_pb2.Memory(uid=memory.uid, revision=7)
    said = refused(recall, other, "m", PATTERNS[0], ahead)
    assert (said.code, said.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REVISION_AHEAD")
    assert said.metadata == {"name": "m", "revision": "0"}


def test_a_memory_made_anew_is_never_taken_for_its_predecessor(wires: tuple[Wire, Wire]) -> None:
    one, other = wires
    before: memory_pb2.Memory | None = None
    for k, pattern in enumerate(PATTERNS[:10]):
        maker, reader = (one, other) if k % 2 else (other, one)
        made(maker, "m", pairwise(N))
        seen = store(maker, "m", pattern)
        # Through either replica, whatever it had loaded before.
        for wire in (reader, maker):
            answer = recall(wire, "m", pattern, seen)
            assert (answer.uid, answer.revision, answer.overlap) == (seen.uid, 1, 1.0)
        if before is not None:
            # Who has seen the predecessor is not told that it has seen the future, nor shown what it was.
            assert before.uid != seen.uid
            for wire in (reader, maker):
                assert recall(wire, "m", pattern, before).uid == seen.uid
        before = seen
        maker.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
        assert refused(recall, maker, "m", pattern).reason == "MEMORY_NOT_FOUND"


def test_the_replica_that_makes_a_memory_anew_does_not_recall_its_predecessor(
    wires: tuple[Wire, Wire], valkey: ValkeyProcess
) -> None:
    one, other = wires
    cut_announcements(valkey)
    for _ in range(5):
        made(one, "m", pairwise(N))
        recall(one, "m", PATTERNS[0])
        other.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
        anew = made(one, "m", pairwise(N))
        assert recall(one, "m", PATTERNS[0]).uid == anew.uid
        one.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))


def test_a_replica_that_is_behind_in_many_memories_catches_up_with_all(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    behind = start_service(redis_url=valkey.url)
    names = [f"m{k}" for k in range(400)]
    with connected(start_service(redis_url=valkey.url).address) as one, connected(behind.address) as other:
        for name in names:
            made(one, name, pairwise(4))
            recall(other, name, [1, 1, -1, 1])
        os.kill(behind.process.pid, signal.SIGSTOP)
        try:
            for name in names:
                store(one, name, [1, -1, 1, 1])
        finally:
            os.kill(behind.process.pid, signal.SIGCONT)
        until(lambda: all(recall(other, name, [1, 1, -1, 1]).revision == 1 for name in names))
    assert "away" not in behind.log()
    assert "was not loaded" not in behind.log()


def test_a_memory_that_was_deleted_elsewhere_is_gone_soon(wires: tuple[Wire, Wire]) -> None:
    one, other = wires
    made(one, "m", pairwise(N))
    recall(other, "m", PATTERNS[0])
    one.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))

    def gone() -> bool:
        try:
            recall(other, "m", PATTERNS[0])
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.NOT_FOUND
        return False

    until(gone)
