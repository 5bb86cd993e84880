"""Several processes that serve one address: started, kept up, and ended together. One Python process is one core of RPC."""

import asyncio
import logging
import math
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version

from hopfield_service import private_valkey
from hopfield_service.ending import End
from hopfield_service.listening import CannotListen, shared
from hopfield_service.logs import say
from hopfield_service.settings import Settings

_log = logging.getLogger(__name__)

# Seconds before a worker that has ended is started anew: at first, and at most where it keeps ending.
_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
# Seconds that a worker is given to end beyond those that its calls are.
_TO_CLOSE = 10.0


class WorkerFailed(RuntimeError):
    """A worker ended before it served for the first time; its log says why."""


CANNOT_SERVE = (CannotListen, WorkerFailed, *private_valkey.CANNOT_KEEP)
"""As in server.py."""


async def serve(settings: Settings) -> None:
    """Has `settings.workers` processes serve until SIGTERM or SIGINT, which then finish what is in flight.

    Raises:
        CannotListen: the address is in use or not ours.
        WorkerFailed: one of them did not come up.
        DataDirectoryInUse, DataDirectoryUnusable, EmbeddedServerFailed: from the private Valkey server, at any time.
    """
    began = time.monotonic()
    end = End()
    end.heed_signals()
    async with AsyncExitStack() as stack:
        address = stack.enter_context(shared(settings.listen))
        where = settings.where
        _log.info("hopfield-server %s on %s: %d workers", version("hopfield-recall"), address, settings.workers)
        redis_url = settings.redis_url or await private_valkey.kept_up(settings, stack, end)
        workers = [
            _Worker(f"worker-{number}", _of_worker(settings, address, redis_url), end)
            for number in range(1, settings.workers + 1)
        ]
        running = [asyncio.create_task(worker.keep_up()) for worker in workers]
        stack.push_async_callback(_ended, running, end)
        serving = asyncio.create_task(_all_serve(workers))
        ending = asyncio.create_task(end.begun.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            _log.info("%d workers serving after %.1f s", settings.workers, time.monotonic() - began)
            say(f"hopfield-server {version('hopfield-recall')} serving on {address}, memories in {where}")
        serving.cancel()
        await ending
        _log.info("stopping: calls in flight have %g s to finish", settings.grace)
    _log.info("stopped")


def _of_worker(settings: Settings, address: str, redis_url: str) -> Settings:
    """The settings of one worker: it has its share of the threads, unless it is said how many."""
    changed = {"listen": address, "redis_url": redis_url, "workers": 1, "max_bytes_in_flight": settings.bytes_in_flight}
    if "threads" not in settings.model_fields_set:
        changed["threads"] = math.ceil(settings.threads / settings.workers)
    return settings.model_copy(update=changed)


async def _ended(running: "list[asyncio.Task[None]]", end: End) -> None:
    """Ends the workers, and raises what one of them has failed with."""
    end.begun.set()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def _all_serve(workers: "list[_Worker]") -> None:
    for worker in workers:
        await worker.serves.wait()


class _Worker:
    """A process that serves, and another one in its place whenever it ends.

    Attributes:
        serves: whether it has served once.
    """

    def __init__(self, name: str, settings: Settings, end: End) -> None:
        self._name = name
        self._settings = settings
        self._end = end
        self.serves = asyncio.Event()

    async def keep_up(self) -> None:
        """Runs until the service is to end.

        Raises:
            WorkerFailed: it ended before it served for the first time. The service is to end then.
        """
        pause = _PAUSE
        while not self._end.begun.is_set():
            process = await self._started()
            served, status = await self._run(process)
            if self._end.begun.is_set():
                return
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            if not self.serves.is_set():
                self._end.begun.set()
                raise WorkerFailed(f"{self._name} ended {how} before it served")
            pause = _PAUSE if served else min(2 * pause, _LONGEST_PAUSE)
            _log.error("%s (process %d) ended %s; starting another one in its place", self._name, process.pid, how)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.begun.wait(), pause)

    async def _started(self) -> Process:
        # In a session of its own, so that Ctrl-C reaches the supervisor alone, which ends its workers in order.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hopfield_service.worker", self._name),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(f"{self._settings.model_dump_json()}\n".encode())
        return process

    async def _run(self, process: Process) -> tuple[bool, int]:
        """Waits for a worker to end, and ends it when the service is to end.

        Returns:
            Whether it served, and its exit status.
        """
        exiting = asyncio.create_task(process.wait())
        watching = asyncio.create_task(self._watch(process))
        telling = asyncio.create_task(self._tell(process))
        status = await exiting
        telling.cancel()
        return await watching, status

    async def _watch(self, process: Process) -> bool:
        """Whether it says, on its first line, that it serves; there is no line if it ends before."""
        serves = process.stdout is not None and bool(await process.stdout.readline())
        if serves:
            self.serves.set()
            _log.info("%s (process %d) serves", self._name, process.pid)
        return serves

    async def _tell(self, process: Process) -> None:
        """Passes on what the service is told, and kills a worker that does not end."""
        await self._end.begun.wait()
        patience = self._settings.grace + _TO_CLOSE
        if self._end.drains:
            patience += self._settings.drain_seconds
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM if self._end.drains else signal.SIGINT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.at_once.wait(), patience)
                process.terminate()
                await asyncio.sleep(_TO_CLOSE)
            _log.error("%s (process %d) does not end; killing it", self._name, process.pid)
            process.kill()
