"""Clients in other processes: pickled, copied, and after a fork."""

import asyncio
import copy
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.client.letters import LABELS, PATTERNS, N
from tests.processes import ServiceProcess

from hopfield_client import (
    AsyncHopfieldClient,
    ClientClosed,
    FailedPrecondition,
    HopfieldClient,
    HopfieldError,
    Memory,
    Overloaded,
    RetryConfig,
    Ring,
    Sheet,
    WrongEventLoop,
)


def pickled(each: Any) -> Any:
    return pickle.loads(pickle.dumps(each))


@pytest.fixture
def client(server: ServiceProcess) -> Any:
    with HopfieldClient(server.address, timeout=60) as client:
        yield client


@pytest.fixture
def letters(client: HopfieldClient, name: str) -> Memory:
    memory = client.create_memory(name, N, rule="pseudo_inverse", shape=(8, 8))
    memory.store(PATTERNS, LABELS)
    return memory


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_of_a_client_connects_by_itself(client: HopfieldClient, copied: Callable[[Any], Any]) -> None:
    with copied(client) as other:
        assert repr(other) == repr(client)
        assert other.server_info() == client.server_info()
    # The end of one is not the end of the other.
    assert client.server_info().version


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_a_handle_knows_what_the_handle_knew(
    letters: Memory, client: HopfieldClient, name: str, copied: Callable[[Any], Any]
) -> None:
    other = copied(letters)
    assert (other.name, other.shape, other.coding) == (name, (8, 8), "bipolar")
    assert other.recall(PATTERNS[0]).label == LABELS[0]
    # It has seen the last revision that the handle had.
    assert other.store(-PATTERNS[:1], ["inverse"]).revision == client.memory(name).info().revision


def test_handles_of_attractors_pickle_too(client: HopfieldClient, name: str) -> None:
    ring = client.create_memory(f"{name}-ring", model=Ring())
    with pickle.loads(pickle.dumps(ring)).track(90) as track:
        assert track.turn(10, seconds=1) == pytest.approx(100, abs=2)
    sheet = client.create_memory(f"{name}-sheet", model=Sheet())
    assert pickle.loads(pickle.dumps(sheet)).info() == sheet.info()


def test_a_closed_client_stays_closed(server: ServiceProcess) -> None:
    with HopfieldClient(server.address) as client:
        pass
    with pytest.raises(ClientClosed):
        pickle.loads(pickle.dumps(client)).server_info()


def test_settings_of_a_client_go_with_it() -> None:
    with HopfieldClient("127.0.0.1:1", timeout=0.5, retry=RetryConfig(attempts=1)) as client:
        copied = pickle.loads(pickle.dumps(client))
    with pytest.raises(ClientClosed):
        client.server_info()
    assert vars(copied._calls)["_timeout"] == 0.5
    assert vars(copied._calls)["_retry"] == RetryConfig(attempts=1)


def test_what_is_in_progress_does_not_pickle(letters: Memory) -> None:
    trace, stream = letters.trace(PATTERNS[0]), letters.recall_stream(PATTERNS)
    for each in (trace, stream):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(each)
    trace.close()
    stream.close()


async def test_a_copy_of_an_asynchronous_client_belongs_to_the_loop_that_uses_it_first(server: ServiceProcess) -> None:
    async with AsyncHopfieldClient(server.address) as client:
        written = pickle.dumps(client)
        info = await client.server_info()

    async def used() -> None:
        async with pickle.loads(written) as other:
            assert await other.server_info() == info

    await asyncio.to_thread(asyncio.run, used())


@pytest.mark.parametrize(
    "error",
    [
        FailedPrecondition("no", reason="WEIGHTS_IMPORTED", metadata={"name": "m"}, field="patterns"),
        Overloaded("busy", reason="OVERLOADED", retry_after=1.5),
    ],
)
def test_errors_keep_their_class_and_all_they_say(error: HopfieldError) -> None:
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert (str(other), vars(other)) == (str(error), vars(error))


def recalled_in_a_child(memory: Memory, answers: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        answers.put(str(memory.recall(PATTERNS[1], timeout=20).label))
    except HopfieldError as error:
        answers.put(repr(error))


def test_a_forked_child_of_a_busy_parent_has_a_connection_of_its_own(letters: Memory) -> None:
    context = multiprocessing.get_context("fork")
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            letters.recall(PATTERNS[0])

    busy = [threading.Thread(target=work) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(8):
            answers: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
            child = context.Process(target=recalled_in_a_child, args=(letters, answers))
            child.start()
            child.join(60)
            hangs = child.is_alive()
            child.kill()
            assert not hangs
            assert answers.get() == LABELS[1]
        # Nor has the child taken the parent's.
        assert letters.recall(PATTERNS[2]).label == LABELS[2]
    finally:
        over.set()
        for thread in busy:
            thread.join()


async def test_an_asynchronous_client_says_at_once_that_it_cannot_live_in_a_fork(server: ServiceProcess) -> None:
    context = multiprocessing.get_context("fork")
    said: multiprocessing.SimpleQueue[str] = context.SimpleQueue()

    async def use() -> None:
        async with AsyncHopfieldClient(server.address) as client:
            await client.server_info()

    def child() -> None:
        # The loop that ran in the parent when it was forked does not run here.
        asyncio.events._set_running_loop(None)
        try:
            asyncio.run(use())
            said.put("")
        except WrongEventLoop as error:
            said.put(str(error))

    await use()
    forked = context.Process(target=child)
    forked.start()
    await asyncio.to_thread(forked.join, 60)
    forked.kill()
    assert "cannot be used in a forked process: start it with 'spawn' or 'forkserver'" in said.get()
