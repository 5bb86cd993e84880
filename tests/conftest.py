"""What the tests share: a service that is up, and the means to start others."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.wire import Wire, connected

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One service for all tests that need no other, with a private Valkey server."""
    directory = tmp_path_factory.mktemp("server")
    with ServiceProcess(directory, {"HOPFIELD_DATA_DIR": str(directory / "data")}) as service:
        yield service


@pytest.fixture(scope="session")
def wire(server: ServiceProcess) -> Iterator[Wire]:
    """A channel to the service that all tests share."""
    with connected(server.address) as channel:
        yield channel


@pytest.fixture
def name() -> str:
    """The name of a memory that no other test uses."""
    return f"test-{next(_numbers)}"


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
    process = ValkeyProcess(directory)
    yield process
    process.kill()
