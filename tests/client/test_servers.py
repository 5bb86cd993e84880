"""Several servers of one client, and a connection on which nothing comes back."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tests.client.conftest import Connect
from tests.waiting import until

from hopfield.v1 import server_service_pb2, server_service_pb2_grpc
from hopfield_client import DeadlineExceeded, HopfieldClient, Unavailable


class Replica(server_service_pb2_grpc.ServerServiceServicer):
    """A server whose version is its name, and whose health is as it is told."""

    def __init__(self, name: str, port: int = 0) -> None:
        self._name = name
        self._health = health.HealthServicer()
        self._server = grpc.server(ThreadPoolExecutor(8))
        server_service_pb2_grpc.add_ServerServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.serves(True)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def GetServerInfo(self, _: object, __: object) -> server_service_pb2.GetServerInfoResponse:  # noqa: N802 - gRPC's
        return server_service_pb2.GetServerInfoResponse(version=self._name)

    def serves(self, serves: bool) -> None:
        self._health.set("", getattr(health_pb2.HealthCheckResponse, "SERVING" if serves else "NOT_SERVING"))

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    running = [Replica(name) for name in "abc"]
    yield running
    for replica in running:
        replica.stop()


def addresses(replicas: list[Replica]) -> list[str]:
    return [f"127.0.0.1:{replica.port}" for replica in replicas]


def answers(client: HopfieldClient, count: int = 60) -> Counter[str]:
    """How many calls each replica has answered, of so many."""
    return Counter(client.server_info().version for _ in range(count))


def test_each_server_has_its_turn(connect: Connect, replicas: list[Replica]) -> None:
    client = connect(addresses(replicas))
    until(lambda: answers(client) == {"a": 20, "b": 20, "c": 20})


def test_a_server_that_says_it_does_not_serve_gets_no_calls_and_comes_back(
    connect: Connect, replicas: list[Replica]
) -> None:
    client = connect(",".join(addresses(replicas)))
    until(lambda: set(answers(client)) == set("abc"))
    replicas[0].serves(False)
    until(lambda: set(answers(client)) == set("bc"))
    replicas[0].serves(True)
    until(lambda: set(answers(client)) == set("abc"))


def test_where_none_serves_the_call_waits_for_one_that_does(connect: Connect, replicas: list[Replica]) -> None:
    client = connect(addresses(replicas), timeout=60)
    for replica in replicas:
        replica.serves(False)
    with pytest.raises(Unavailable, match="backend unhealthy"):
        connect(addresses(replicas), timeout=1).server_info()
    timer = threading.Timer(0.5, replicas[1].serves, [True])
    timer.start()
    assert client.server_info().version == "b"
    timer.join()


def test_when_a_server_is_gone_no_call_fails(connect: Connect, replicas: list[Replica]) -> None:
    client = connect(addresses(replicas))
    until(lambda: set(answers(client)) == set("abc"))
    replicas[0].stop()
    assert set(answers(client)) == set("bc")
    replicas[0] = Replica("a, again", replicas[0].port)
    until(lambda: "a, again" in answers(client))


def test_one_server_is_asked_whatever_its_health_says(connect: Connect, replicas: list[Replica]) -> None:
    replicas[0].serves(False)
    assert connect(addresses(replicas)[0]).server_info().version == "a"


@contextmanager
def router(port: int) -> Iterator[tuple[str, threading.Event]]:
    """A router before a port: its address, and what makes it forget the connections that there are, without a word."""
    forgets = threading.Event()
    with ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0))

        def end(each: socket.socket) -> None:
            # Wakes up whoever waits on it.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

        def carry(source: socket.socket, sink: socket.socket, forgotten: list[bool]) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    forgotten[0] = forgotten[0] or forgets.is_set()
                    if not forgotten[0]:
                        sink.sendall(data)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.create_connection(("127.0.0.1", port))
                    for each in (near, far):
                        stack.callback(end, each)
                    forgotten = [False]
                    for ends in ((near, far), (far, near)):
                        threading.Thread(target=carry, args=(*ends, forgotten), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        stack.callback(end, listener)
        yield f"127.0.0.1:{listener.getsockname()[1]}", forgets


def test_a_connection_that_has_gone_silent_is_given_up_within_seconds(replicas: list[Replica]) -> None:
    with router(replicas[0].port) as (address, forgets), HopfieldClient(address, timeout=1) as client:
        assert client.server_info().version == "a"
        forgets.set()
        with pytest.raises(DeadlineExceeded):
            client.server_info()
        forgets.clear()
        begun = time.monotonic()
        version = ""
        while not version:
            with suppress(DeadlineExceeded, Unavailable):
                version = client.server_info().version
        # It was 60 s; the pings that find it out have 10.
        assert time.monotonic() - begun < 30
