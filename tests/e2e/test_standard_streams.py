"""The service serves whatever becomes of its standard streams: closed, full, or pipes that nobody reads any longer."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from tests.processes import free_port
from tests.wire import connected, made, pairwise, signs

COMMAND = f"exec {sys.executable} -m hopfield_service"


@contextmanager
def served(tmp_path: Path, redirections: str, *arguments: str, **streams: Any) -> Iterator[str]:
    """Starts the service in a shell; its address. Ends it, which must succeed."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"HOPFIELD_LISTEN": address, "HOPFIELD_DATA_DIR": str(tmp_path / "data")}
    command = ["sh", "-c", f'{COMMAND} "$@" {redirections}', "sh", *arguments]
    with subprocess.Popen(command, env={**os.environ, **settings}, **streams) as process:
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=120)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


def assert_works(address: str) -> None:
    with connected(address) as wire:
        memory = made(wire, "m", pairwise(3), signs([1, 1, -1]))
        assert memory.name == "m"


@pytest.mark.parametrize(
    "redirections", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full", ">/dev/full 2>&-"]
)
def test_closed_and_full_streams(tmp_path: Path, redirections: str) -> None:
    with served(tmp_path, redirections) as address:
        assert_works(address)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_any_longer(tmp_path: Path, stream: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with served(tmp_path, "", **{stream: writing}) as address:
            assert_works(address)
    finally:
        os.close(writing)


def test_workers_of_a_service_with_closed_streams(tmp_path: Path) -> None:
    with served(tmp_path, "<&- >&- 2>&-", "--workers", "2") as address:
        assert_works(address)
        of_workers = [each for each in psutil.process_iter(["cmdline"]) if "hopfield_service.worker" in each.cmdline()]
        workers = [each for each in of_workers if each.environ().get("HOPFIELD_LISTEN") == address]
        assert len(workers) == 2
        for worker in workers:
            assert Path(f"/proc/{worker.pid}/fd/2").readlink() == Path(os.devnull)
