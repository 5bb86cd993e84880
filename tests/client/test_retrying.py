"""Repeats: within the timeout, not before the server asks for them, and never of what the server has refused."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tests.client.conftest import Connect
from tests.client.misbehaving import Behaviour, Misbehaving, misbehaving, refuse

from hopfield_client import (
    Cancelled,
    DeadlineExceeded,
    HopfieldClient,
    InvalidArgument,
    Overloaded,
    ResourceExhausted,
    RetryConfig,
    Unavailable,
)
from hopfield_client._retrying import Attempts

# What GetServerInfo is answered with.
NOTHING = b""


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as handler:
        yield handler


def until(attempt: int, refusal: Callable[[grpc.ServicerContext], None]) -> Behaviour:
    def behaviour(count: int, _: bytes, context: grpc.ServicerContext) -> bytes:
        if count < attempt:
            refusal(context)
        return NOTHING

    return behaviour


def test_a_call_is_repeated_as_often_as_its_timeout_allows(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = until(9, lambda context: refuse(context, grpc.StatusCode.UNAVAILABLE))
    connect(server.address, timeout=30, retry=RetryConfig(max_backoff=0.05)).server_info()
    assert len(server.requests) == 9


def test_a_server_that_comes_up_within_the_timeout_is_found(connect: Connect) -> None:
    answered = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as early, ThreadPoolExecutor(1) as pool:
        port = early.getsockname()[1]

        def serve_after_the_first_attempt() -> int:
            early.accept()[0].close()
            early.close()
            with misbehaving(port) as server:
                server.behaviour = until(0, lambda _: None)
                assert answered.wait(60)
                return len(server.requests)

        serving = pool.submit(serve_after_the_first_attempt)
        connect(f"127.0.0.1:{port}", timeout=60).server_info()
        answered.set()
        assert serving.result() == 1


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.server_info(), lambda client: list(client.memory("digits").recall_stream([[True, False]]))],
    ids=["call", "stream"],
)
def test_the_error_of_the_last_attempt_is_raised_when_the_timeout_is_used_up(
    connect: Connect, ask: Callable[[HopfieldClient], object]
) -> None:
    client = connect("127.0.0.1:1", timeout=1.5)
    begun = time.monotonic()
    with pytest.raises(
        Unavailable, match=r"^no server answers at 127\.0\.0\.1:1: is hopfield-server running there\? \("
    ):
        ask(client)
    assert time.monotonic() - begun > 1.3


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
def test_the_server_is_not_asked_again_before_it_asks_for_it(
    connect: Connect, server: Misbehaving, code: grpc.StatusCode
) -> None:
    server.behaviour = until(2, lambda context: refuse(context, code, "OVERLOADED", retry_after=0.5))
    begun = time.monotonic()
    connect(server.address, timeout=60, retry=RetryConfig(initial_backoff=0.01)).server_info()
    assert (len(server.requests), time.monotonic() - begun > 0.5) == (2, True)


def test_where_the_server_asks_for_more_time_than_there_is_its_error_is_raised_at_once(
    connect: Connect, server: Misbehaving
) -> None:
    server.behaviour = until(2, lambda context: refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", 60))
    with pytest.raises(Overloaded) as raised:
        connect(server.address, timeout=30).server_info()
    assert (raised.value.retry_after, len(server.requests)) == (60, 1)


def test_a_limit_is_no_overload(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = until(2, lambda context: refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "PATTERN_LIMIT"))
    with pytest.raises(ResourceExhausted):
        connect(server.address).server_info()
    assert len(server.requests) == 1


def test_what_a_server_has_refused_is_not_repeated(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = until(2, lambda context: refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"))
    with pytest.raises(InvalidArgument):
        connect(server.address).server_info()
    assert len(server.requests) == 1


def test_what_a_stopping_server_cancels_is_repeated_with_the_same_bytes(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = until(2, lambda context: refuse(context, grpc.StatusCode.CANCELLED))
    connect(server.address).memory("digits").store([1, -1], "A")
    assert len(server.requests) == 2
    assert len(set(server.requests)) == 1


def test_an_upload_is_repeated_from_its_beginning(connect: Connect, server: Misbehaving) -> None:
    server.behaviour = until(3, lambda context: refuse(context, grpc.StatusCode.UNAVAILABLE))
    connect(server.address, retry=RetryConfig(initial_backoff=0.01)).import_weights("w", np.eye(30))
    assert len(server.requests) == 3
    assert len(set(server.requests)) == 1
    assert len(server.requests[0]) > 30 * 30 * 8


def test_a_call_that_waits_to_be_repeated_ends_when_the_client_is_closed(server: Misbehaving) -> None:
    arrived = threading.Event()

    def away(_: int, __: bytes, context: grpc.ServicerContext) -> bytes:
        arrived.set()
        refuse(context, grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", retry_after=100)
        return NOTHING

    server.behaviour = away
    with ThreadPoolExecutor(1) as pool, HopfieldClient(server.address, timeout=1000) as client:
        running = pool.submit(client.server_info)
        assert arrived.wait(60)
        client.close()
        # Cancelled while it waited, or before its error had arrived.
        with pytest.raises((Cancelled, Unavailable)):
            running.result(timeout=60)


def test_a_timeout_after_other_failures_tells_of_them(connect: Connect, server: Misbehaving) -> None:
    def away_then_silent(count: int, _: bytes, context: grpc.ServicerContext) -> bytes:
        if count == 1:
            refuse(context, grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        given_up = threading.Event()
        context.add_callback(given_up.set)
        assert given_up.wait(60)
        return NOTHING

    server.behaviour = away_then_silent
    with pytest.raises(DeadlineExceeded) as raised:
        connect(server.address, timeout=3).server_info()
    assert raised.value.__notes__ == ["An attempt before it failed: refused"]


def test_waits_grow_and_differ() -> None:
    error = Unavailable("away")

    def waits() -> list[float]:
        attempts = Attempts(RetryConfig(initial_backoff=0.1, multiplier=2, max_backoff=0.5), 1e6)
        return [attempts.pause(error) or 0 for _ in range(8)]

    one, other = waits(), waits()
    assert one != other
    for wait, base in zip(one, [0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5], strict=True):
        assert 0.8 * base <= wait <= 1.2 * base


class TestWaitingUntilTheServerIsReady:
    def test_returns_once_health_says_so(self, connect: Connect, server: Misbehaving) -> None:
        server.behaviour = lambda count, _, __: b"\x08\x01" if count > 3 else b"\x08\x02"
        connect(server.address).wait_until_ready(60)
        assert server.requests == [b""] * 4

    def test_says_that_the_server_runs_and_does_not_serve(self, connect: Connect, server: Misbehaving) -> None:
        server.behaviour = lambda *_: b"\x08\x02"
        with pytest.raises(Unavailable, match=r"not ready within 2 s: it runs, and health says"):
            connect(server.address).wait_until_ready(2)

    def test_says_that_no_server_answers(self, connect: Connect) -> None:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 was not ready within 0\.5 s: no server answers"):
            connect("127.0.0.1:1", retry=RetryConfig(attempts=1)).wait_until_ready(timeout=0.5)

    def test_does_not_ask_more_of_a_server_that_knows_no_health(self, connect: Connect, server: Misbehaving) -> None:
        server.behaviour = until(9, lambda context: refuse(context, grpc.StatusCode.UNIMPLEMENTED))
        connect(server.address).wait_until_ready(60)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("timeout", [0, -1, "10", None])
    def test_takes_a_positive_number_of_seconds(self, connect: Connect, timeout: object) -> None:
        with pytest.raises(InvalidArgument, match=r"^timeout is"):
            connect("127.0.0.1:1").wait_until_ready(timeout)  # type: ignore[arg-type]
