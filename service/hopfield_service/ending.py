"""When the service is to end, and how much patience is left."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from contextlib import suppress
from typing import NoReturn


class End:
    """Whether the service is to end.

    Attributes:
        begun: It is to end, and calls in flight are given the time that the settings grant.
        drains: Before that, it goes on serving while callers move to other replicas.
        at_once: Neither is waited for any longer.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.at_once = asyncio.Event()
        self.drains = False

    def heed_signals(self) -> None:
        """SIGTERM or SIGINT ends the service, a second one its patience.

        SIGTERM comes from an orchestrator that may run other replicas, so the service drains. SIGINT
        comes from the keyboard of a developer, who waits for the prompt.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signal, number)

    def _signal(self, number: int) -> None:
        if self.begun.is_set():
            self.at_once.set()
        else:
            self.drains = number == signal.SIGTERM
            self.begun.set()


async def end_process_after(serving: Awaitable[None], cannot_serve: tuple[type[Exception], ...]) -> NoReturn:
    """Waits until a service has ended, and ends the process: with status 0, or with 1 and a line on stderr if it could not serve.

    It is ended here and not by returning, since threads may still be at what cannot be interrupted and nobody waits for, such
    as a compilation or the look-up of a host name.
    """
    status = 0
    try:
        await serving
    except cannot_serve as error:
        with suppress(OSError):
            sys.stderr.write(f"hopfield-server: {error}\n")
        status = 1
    for stream in (sys.stdout, sys.stderr):
        # Perhaps nobody reads it any longer.
        with suppress(OSError):
            stream.flush()
    os._exit(status)
