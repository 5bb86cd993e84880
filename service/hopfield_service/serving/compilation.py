"""The kernels, ready before the first call: read from disk, or compiled, which several processes do at a first start.

`python -m hopfield_service.serving.compilation NUMBER OF` compiles the share of one of them, and names on stdout what it compiled.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from contextlib import suppress

from hopfield_service.core import families


async def ready(report: Callable[[str], None]) -> None:
    """Has everything compiled that is compiled on first use, so that no caller waits for it.

    Args:
        report: is called with the name of every kernel that was compiled, and not found on disk.
    """
    # numba compiles one kernel at a time in a process, and keeps it where the next process finds it.
    if await asyncio.to_thread(families.compile_where_kept):
        count = os.cpu_count() or 1
        processes = [await _started(number, count) for number in range(count)]
        try:
            await asyncio.gather(*(_reported(process, report) for process in processes))
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    process.kill()
    await asyncio.to_thread(families.warm, report)


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


async def _reported(process: Process, report: Callable[[str], None]) -> None:
    if process.stdout is not None:
        async for line in process.stdout:
            report(line.decode().strip())
    await process.wait()


def main() -> None:
    """Compiles every `count`-th piece from `number` on."""
    number, count = map(int, sys.argv[1:])

    def report(kernel: str) -> None:
        sys.stdout.write(f"{kernel}\n")
        sys.stdout.flush()

    families.warm(report, number, count)


if __name__ == "__main__":
    main()
