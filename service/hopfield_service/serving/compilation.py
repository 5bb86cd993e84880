"""The kernels, ready before the first call: read from disk, or compiled, which several processes do at a first start.

`python -m hopfield_service.serving.compilation NUMBER OF` compiles the share of one of them. It names on stdout what it
compiled, one kernel a line; a line that begins with "!" says what is wrong with the compiled kernels on disk.
"""

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress

from hopfield_service.core import families

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_REPORTS = 1.0
_COMPLAINT = "!"


async def ready() -> None:
    """Has everything compiled that is compiled on first use, so that no caller waits for it; the log says how far it is."""
    progress = _Progress(families.kernel_count())
    # numba compiles one kernel at a time in a process, and keeps it where the next process finds it.
    if await asyncio.to_thread(families.compile_where_kept, _log.warning):
        count = os.cpu_count() or 1
        processes = [await _started(number, count) for number in range(count)]
        try:
            await asyncio.gather(*(_followed(process, progress) for process in processes))
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    process.kill()
    await asyncio.to_thread(families.warm, progress.compiled, _log.warning)


class _Progress:
    """Says now and then how far a first start is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._names: set[str] = set()
        self._said = time.monotonic()

    def compiled(self, kernel: str) -> None:
        """Counts a kernel, however many combinations of types it is compiled for."""
        self._names.add(kernel)
        if time.monotonic() - self._said > _SECONDS_BETWEEN_REPORTS:
            self._said = time.monotonic()
            _log.info("compiled %d of %d kernels, %s the last", len(self._names), self._total, kernel)


async def _started(number: int, count: int) -> Process:
    # In a session of its own, so that Ctrl-C reaches the service alone, which then ends it.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __spec__.name, str(number), str(count)),
        stdin=DEVNULL,
        stdout=PIPE,
        # What goes wrong here goes wrong once more, and is said, where the kernels are read.
        stderr=DEVNULL,
        start_new_session=True,
    )


async def _followed(process: Process, progress: _Progress) -> None:
    if process.stdout is not None:
        async for line in process.stdout:
            text = line.decode().strip()
            if text.startswith(_COMPLAINT):
                _log.warning("%s", text.removeprefix(_COMPLAINT))
            else:
                progress.compiled(text)
    await process.wait()


def main() -> None:
    """Compiles every `count`-th piece from `number` on, for as long as that can be kept."""
    number, count = map(int, sys.argv[1:])

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def complain(problem: str) -> None:
        if not families.kernels_are_kept():
            # The disk is full: the service finds out the same, and compiles in memory.
            sys.exit()
        say(f"{_COMPLAINT}{problem}")

    families.warm(say, complain, number, count)


if __name__ == "__main__":
    main()
