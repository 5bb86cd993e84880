"""The service on a Unix socket."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.processes import ServiceProcess, StartService

from hopfield_client import HopfieldClient

COMMAND = [sys.executable, "-m", "hopfield_service"]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a path that is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="hopfield-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def listen(directory: Path) -> str:
    return f"unix:{directory / 'hopfield.sock'}"


@pytest.fixture
def service(start_service: StartService, tmp_path: Path, listen: str) -> ServiceProcess:
    return start_service(listen=listen, data_dir=str(tmp_path / "data"), drain_seconds="3600")


def ended(directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
    settings = {"HOPFIELD_DATA_DIR": str(directory / "other"), **settings}
    return subprocess.run(
        [*COMMAND, *arguments], env={**environment, **settings}, capture_output=True, text=True, timeout=60, check=False
    )


def test_serves_and_leaves_nothing_behind(service: ServiceProcess, listen: str) -> None:
    assert service.address == listen
    path = Path(listen.removeprefix("unix:"))
    assert path.is_socket()
    for address in (listen, f"unix://{path}"):
        with HopfieldClient(address) as client:
            assert client.server_info().version
    # No connection is open, which ends the drain.
    assert service.terminate() == 0
    assert not path.exists()


def test_drains_while_a_caller_is_connected(service: ServiceProcess, listen: str) -> None:
    with HopfieldClient(listen) as client:
        client.server_info()
        service.process.terminate()
        client.create_memory("during-the-drain", 2)
        assert service.process.poll() is None
    assert service.ended() == 0


@pytest.mark.usefixtures("service")
def test_answers_a_health_check(listen: str, directory: Path) -> None:
    done = ended(directory, "healthcheck", HOPFIELD_LISTEN=listen)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SERVING\n", "")


def test_takes_the_place_of_a_socket_that_a_dead_process_left(
    start_service: StartService, tmp_path: Path, listen: str
) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(listen.removeprefix("unix:"))
    service = start_service(listen=listen, data_dir=str(tmp_path / "data"))
    with HopfieldClient(service.address) as client:
        assert client.server_info().version


@pytest.mark.usefixtures("service")
def test_leaves_a_socket_alone_on_which_another_process_serves(listen: str, directory: Path) -> None:
    done = ended(directory, HOPFIELD_LISTEN=listen)
    assert done.returncode == 1
    assert (
        f"hopfield-server: cannot serve on {listen}: another process serves there; choose another path" in done.stderr
    )
    with HopfieldClient(listen) as client:
        assert client.server_info().version


def test_says_what_is_in_the_way(directory: Path) -> None:
    (directory / "file").touch()
    for path, why in (
        (directory / "file", "there is a file that is no socket; choose another path"),
        (directory / "none" / "socket", f"there is no directory {directory / 'none'}; make it first"),
    ):
        done = ended(directory, HOPFIELD_LISTEN=f"unix:{path}")
        assert done.returncode == 1
        assert f"hopfield-server: cannot serve on unix:{path}: {why}\n" in done.stderr


@pytest.mark.parametrize("path", ["", "/" + "a" * 103])
def test_a_path_that_no_socket_can_have_is_refused(path: str, directory: Path) -> None:
    done = ended(directory, HOPFIELD_LISTEN=f"unix:{path}")
    assert (done.returncode, "HOPFIELD_LISTEN must be unix: and a path of at most 103 bytes" in done.stderr) == (
        2,
        True,
    )


def test_workers_cannot_share_a_socket(listen: str, directory: Path) -> None:
    done = ended(directory, HOPFIELD_LISTEN=listen, HOPFIELD_WORKERS="2")
    assert done.returncode == 2
    assert "HOPFIELD_WORKERS must be 1 where HOPFIELD_LISTEN is a Unix socket" in done.stderr
