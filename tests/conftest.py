"""What the tests share: a service that is up, and the means to start others."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import ServiceProcess, ValkeyProcess

StartService = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One service for all tests that need no other, with a private Valkey server."""
    directory = tmp_path_factory.mktemp("server")
    with ServiceProcess(directory, {"HOPFIELD_DATA_DIR": str(directory / "data")}) as service:
        yield service


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Starts services of a test's own; what still runs at its end is terminated."""
    with ExitStack() as running:

        def start(**settings: str) -> ServiceProcess:
            service = ServiceProcess(tmp_path, {f"HOPFIELD_{name.upper()}": value for name, value in settings.items()})
            return running.enter_context(service)

        yield start


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A Valkey server of a test's own."""
    directory = tmp_path / "valkey"
    directory.mkdir()
    process = ValkeyProcess(directory, free_port())
    yield process
    process.kill()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
