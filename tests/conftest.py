"""What the tests share: a service that is up, and the means to start others."""

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.processes import ServiceProcess, StartService, ValkeyProcess, end_valkey_in, running_with
from tests.wire import Wire, connected

_numbers = itertools.count()
# In the environment of everything that the tests start.
_MARK = "STARTED_BY_TESTS"


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ends what tests have left running, and fails then. It is the first fixture of all, and so the last to end."""
    os.environ[_MARK] = secrets.token_hex(16)
    yield
    left = running_with(_MARK, os.environ.pop(_MARK), tmp_path_factory.getbasetemp().resolve())
    commands = [" ".join(process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert not commands, "tests have left processes running"


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
            if "data_dir" in settings:
                # One that is killed leaves its Valkey server.
                running.callback(end_valkey_in, Path(settings["data_dir"]))
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
