"""The private Valkey server of a service that was given no Redis."""

import asyncio
from contextlib import AsyncExitStack, suppress

from hopfield_service.ending import End
from hopfield_service.settings import Settings
from hopfield_service.store.data_directory import DataDirectoryInUse, DataDirectoryUnusable
from hopfield_service.store.embedded import EmbeddedServer, EmbeddedServerFailed

CANNOT_KEEP = (DataDirectoryInUse, DataDirectoryUnusable, EmbeddedServerFailed)
"""What keeps it from coming up, or from staying up, through no defect of the service; the message says what to do."""


async def kept_up(settings: Settings, stack: AsyncExitStack, end: End) -> str:
    """Starts the private Valkey server, and has it kept up. If that fails the service is to end.

    Args:
        settings: of the service.
        stack: takes it down again.
        end: of the service.

    Returns:
        Its URL.
    """
    embedded = await EmbeddedServer.start(
        settings.data_dir, maxmemory=settings.valkey_bytes, appendfsync=settings.appendfsync
    )
    stack.push_async_callback(embedded.stop)
    keeping = asyncio.create_task(embedded.keep_up())
    keeping.add_done_callback(lambda _: end.begun.set())

    async def let_go() -> None:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            # Raises here what has ended it.
            await keeping

    stack.push_async_callback(let_go)
    return embedded.url
