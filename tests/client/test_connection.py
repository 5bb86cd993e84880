"""Deadlines, repeats and sizes: both clients against a gRPC server that misbehaves as told."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.client.conftest import Connect
from tests.client.misbehaving import Behaviour, Misbehaving, misbehaving

from hopfield.v1 import recall_service_pb2
from hopfield_client import (
    AsyncHopfieldClient,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    ResourceExhausted,
    RetryConfig,
    Unavailable,
    Unimplemented,
    WrongEventLoop,
)
from hopfield_client._addresses import addresses_of

QUICK = RetryConfig(attempts=3, initial_backoff=0.01)


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as handler:
        yield handler


def unavailable_until(attempt: int) -> Behaviour:
    def behaviour(count: int, _: bytes, context: grpc.ServicerContext) -> bytes:
        if count < attempt:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return b""

    return behaviour


def waiting_until_given_up(arrived: threading.Event) -> Behaviour:
    def behaviour(_: int, __: bytes, context: grpc.ServicerContext) -> bytes:
        given_up = threading.Event()
        context.add_callback(given_up.set)
        arrived.set()
        assert given_up.wait(timeout=60), "the client never gave up"
        return b""

    return behaviour


def test_a_change_is_repeated_with_the_same_bytes_until_the_server_is_back(
    connect: Connect, server: Misbehaving
) -> None:
    server.behaviour = unavailable_until(3)
    connect(server.address, retry=QUICK).memory("digits").store([1, -1], "A")
    assert len(server.requests) == 3
    assert len(set(server.requests)) == 1


def test_after_its_attempts_a_call_is_unavailable(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = unavailable_until(4)
    with pytest.raises(Unavailable, match="away") as raised:
        connect(server.address, retry=QUICK).server_info()
    assert len(server.requests) == 3
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE


def test_one_attempt_is_one_attempt(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = unavailable_until(2)
    with pytest.raises(Unavailable):
        connect(server.address, retry=RetryConfig(attempts=1)).server_info()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"initial_backoff": 0.001},
        {"max_backoff": 0},
        {"multiplier": 0.5},
        {"attempts": True},
        {"attempts": "3"},
        {"multiplier": None},
    ],
)
def test_a_retry_configuration_is_checked_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        RetryConfig(**wrong)
    assert [refused.value.field] == list(wrong)


def test_where_nobody_listens_the_address_is_named(connect: Connect) -> None:
    with pytest.raises(
        Unavailable, match=r"^no server answers at 127\.0\.0\.1:1: is hopfield-server running there\? \("
    ):
        connect("127.0.0.1:1", retry=QUICK).server_info()


def test_every_call_has_a_deadline(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = waiting_until_given_up(threading.Event())
    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s: raise timeout= if the call needs longer$"):
        connect(server.address, timeout=0.2).server_info()


@pytest.mark.parametrize(
    ("change", "if_made"),
    [
        (lambda client: client.create_memory("digits", 2), "raises AlreadyExists"),
        (lambda client: client.create_memory("digits", 2, exist_ok=True), "finds the memory that was made"),
        (lambda client: client.delete_memory("digits"), "raises NotFound"),
        (lambda client: client.delete_memory("digits", missing_ok=True), "changes nothing"),
        (lambda client: client.import_weights("digits", [[0.0]]), "raises AlreadyExists"),
        (lambda client: client.memory("digits").store([1, -1], "A"), "raises AlreadyExists"),
        (lambda client: client.memory("digits").store([1, -1], "A", replace=True), "stores them anew"),
        (
            lambda client: client.memory("digits").store([1, -1]),
            "stores the patterns a second time, under labels of their own",
        ),
        (lambda client: client.memory("digits").store([1, -1], expected_revision=3), "raises Conflict"),
        (lambda client: client.memory("digits").forget("A"), "raises NotFound"),
        (lambda client: client.memory("digits").update(rule="storkey"), "changes nothing"),
        (lambda client: client.memory("digits").update(rule="storkey", expected_revision=3), "raises Conflict"),
    ],
)
def test_a_change_without_an_answer_says_what_a_repeat_does(
    connect: Connect, server: Misbehaving, change: Callable[[HopfieldClient], object], if_made: str
) -> None:
    server.behaviour = waiting_until_given_up(threading.Event())
    with pytest.raises(
        DeadlineExceeded, match=f"may or may not have been made; if it was, repeating the call {if_made}$"
    ):
        change(connect(server.address, timeout=0.1))


@pytest.mark.parametrize(
    "call",
    [
        lambda client, timeout: client.import_weights("digits", [[0.0]], timeout=timeout),
        lambda client, timeout: client.memory("digits").store([1, -1], timeout=timeout),
        lambda client, timeout: client.memory("digits").forget("A", timeout=timeout),
        lambda client, timeout: client.memory("digits").recall([1, -1], timeout=timeout),
        lambda client, timeout: client.memory("digits").recall_batch([[1, -1]], timeout=timeout),
        lambda client, timeout: client.memory("digits").weights(timeout=timeout),
        lambda client, timeout: client.memory("digits").update(thresholds=0, timeout=timeout),
        lambda client, timeout: client.memory("digits").diagnose(timeout=timeout),
        lambda client, timeout: list(client.memory("digits").trace([1, -1], timeout=timeout)),
        lambda client, timeout: list(client.memory("digits").recall_stream([[1, -1]], timeout=timeout)),
        lambda client, timeout: client.memory("digits").nearest([1, -1], timeout=timeout),
    ],
)
def test_a_timeout_of_a_call_stands_in_for_the_clients(
    connect: Connect, server: Misbehaving, call: Callable[[HopfieldClient, Any], object]
) -> None:
    server.behaviour = waiting_until_given_up(threading.Event())
    client = connect(server.address, timeout=60.0)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"):
        call(client, 0.1)
    before = len(server.requests)
    for wrong in (0, "10", True, float("inf"), float("nan")):
        with pytest.raises(InvalidArgument, match=r"^timeout is ") as refused:
            call(client, wrong)
        assert refused.value.field == "timeout"
    assert len(server.requests) == before


@pytest.mark.parametrize("timeout", [None, "10", True, 0, -1.0, float("inf"), 1e10])
def test_a_timeout_is_a_positive_number_of_seconds(connect: Connect, timeout: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^timeout is ") as refused:
        connect("localhost:50051", timeout=timeout)
    assert refused.value.field == "timeout"


@pytest.mark.parametrize("retry", [None, 3, {"attempts": 1}])
def test_a_retry_is_a_retry_configuration(connect: Connect, retry: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^retry is .*; it must be a RetryConfig") as refused:
        connect("localhost:50051", retry=retry)
    assert refused.value.field == "retry"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost",
        "localhost:",
        ":50051",
        "localhost:0",
        "localhost:99999",
        "localhost:http",
        "http://localhost:50051",
        "http://localhost",
        "localhost:50051/",
        "::1:50051",
        "[::1]",
        "local host:50051",
        "unix:",
        "dns:",
        None,
        50051,
        b"a:1",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_tried(connect: Connect, address: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^address is ") as refused:
        connect(address)
    assert refused.value.field == "address"


@pytest.mark.parametrize(
    "address",
    [
        "localhost:1",
        "127.0.0.1:65535",
        "[::1]:50051",
        "memories.example.org:443",
        "hopfield_1:50051",
        "unix:/run/hopfield",
        "unix:///run/hopfield",
        "dns:///localhost:50051",
        "ipv4:127.0.0.1:50051",
        "ipv6:[::1]:50051",
    ],
)
def test_an_address_is_a_host_and_a_port_or_a_target_of_grpc(address: str) -> None:
    addresses = addresses_of(address)
    assert (addresses.text, addresses.target) == (address, address)


def test_an_asynchronous_client_belongs_to_the_event_loop_it_was_made_in(server: Misbehaving) -> None:
    with pytest.raises(WrongEventLoop, match="no event loop runs here: make the client inside a coroutine"):
        AsyncHopfieldClient(server.address)

    async def made() -> AsyncHopfieldClient:
        return AsyncHopfieldClient(server.address)

    with asyncio.Runner() as own, asyncio.Runner() as other:
        client = own.run(made())
        with pytest.raises(WrongEventLoop, match="belongs to another event loop"):
            other.run(client.server_info())
        own.run(client.close())


def test_calls_that_run_when_the_client_is_closed_are_cancelled(server: Misbehaving) -> None:
    arrived = threading.Event()
    server.behaviour = waiting_until_given_up(arrived)
    with ThreadPoolExecutor(1) as pool, HopfieldClient(server.address) as client:
        running = pool.submit(client.server_info)
        assert arrived.wait(timeout=60)
        client.close()
        with pytest.raises(Cancelled):
            running.result()


async def test_awaited_calls_that_run_when_the_client_is_closed_are_cancelled_but_not_their_tasks(
    server: Misbehaving,
) -> None:
    arrived = threading.Event()
    server.behaviour = waiting_until_given_up(arrived)
    client = AsyncHopfieldClient(server.address)
    running = asyncio.create_task(client.server_info())
    assert await asyncio.to_thread(arrived.wait, 60)
    await client.close()
    with pytest.raises(Cancelled, match="the client was closed while the call ran"):
        await running
    assert not running.cancelled()


async def test_a_cancelled_task_is_cancelled(server: Misbehaving) -> None:
    arrived = threading.Event()
    server.behaviour = waiting_until_given_up(arrived)
    async with AsyncHopfieldClient(server.address) as client:
        running = asyncio.create_task(client.server_info())
        assert await asyncio.to_thread(arrived.wait, 60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def test_a_server_that_does_not_know_a_call_is_told_from_one_that_fails(connect: Connect, server: Misbehaving) -> None:
    with pytest.raises(Unimplemented):
        connect(server.address).server_info()


def test_a_message_too_large_for_the_server_says_what_to_do(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = unavailable_until(0)
    with pytest.raises(ResourceExhausted, match=r"larger than .* takes: send less per call"):
        connect(server.address).memory("digits").recall([1, -1] * 50_000)


def test_lost_commits_are_told_once_and_then_the_client_goes_on(connect: Connect, server: Misbehaving) -> None:
    answer = recall_service_pb2.RecallResponse(uid="u", revision=5)
    answer.pattern.count, answer.pattern.neurons, answer.pattern.bits = 1, 2, b"\x01"

    def behaviour(_: int, request: bytes, context: grpc.ServicerContext) -> bytes:
        if recall_service_pb2.RecallRequest.FromString(request).token.revision > 4:
            info = error_details_pb2.ErrorInfo(reason="REVISION_AHEAD", metadata={"name": "digits", "revision": "4"})
            status = status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="ahead")
            status.details.add().Pack(info)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "ahead")
        return answer.SerializeToString()

    server.behaviour = behaviour
    memory = connect(server.address).memory("digits")
    assert memory.recall([1, -1]).revision == 5
    with pytest.raises(FailedPrecondition, match="ahead") as raised:
        memory.recall([1, -1])
    assert raised.value.metadata == {"name": "digits", "revision": "4"}
    assert memory.recall([1, -1]).revision == 5
