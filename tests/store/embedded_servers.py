"""What tests of the private Valkey server share: real services around it, and ways to look at what it left."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis, from_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hopfield_service.store.embedded import EmbeddedServer
from hopfield_service.store.file_lock import is_free

SERVICE = """
import asyncio, json, signal, sys
from pathlib import Path
from hopfield_service.store.embedded import EmbeddedServer

async def serve():
    server = await EmbeddedServer.start(Path(sys.argv[1]))
    print(json.dumps({"url": server.url, "pid": server.pid, "adopted": server.adopted}), flush=True)
    await asyncio.Event().wait()

# A shell lets what it runs in the background ignore Ctrl-C, and whatever that starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
asyncio.run(serve())
"""


@dataclass(frozen=True)
class Service:
    """A process that started an EmbeddedServer and waits."""

    process: subprocess.Popen[bytes]
    url: str
    pid: int
    adopted: bool

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def launched(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    # A session of its own, as a shell gives each command a process group of its own.
    command = [sys.executable, "-c", SERVICE, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def service(data_dir: Path) -> Iterator[Service]:
    with launched(data_dir) as process:
        assert process.stdout is not None
        yield Service(process, **json.loads(process.stdout.readline()))


@asynccontextmanager
async def server(data_dir: Path, **options: Any) -> AsyncIterator[EmbeddedServer]:
    started = await EmbeddedServer.start(data_dir, **options)
    try:
        yield started
    finally:
        await started.stop()


def connect(url: str) -> Redis:
    return from_url(url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0), decode_responses=True)


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 20) -> None:
    deadline = time.monotonic() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def valkeys(data_dir: Path) -> set[int]:
    """The Valkeys on a directory, by their command lines: independent of the locks that are being tested."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True
    )
    lines = (line.split(maxsplit=2) for line in listed.stdout.splitlines())
    return {
        int(pid)
        for pid, state, command in (line for line in lines if len(line) == 3)
        if "valkey-server" in command and str(data_dir) in command and not state.startswith("Z")
    }


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def assert_nothing_lives_in(data_dir: Path) -> None:
    assert valkeys(data_dir) == set()
    assert is_free(data_dir / "valkey.lock")
    assert is_free(data_dir / "service.lock")
    assert not list(data_dir.rglob("*.sock"))
