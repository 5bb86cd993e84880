"""Whether a Redis speaks TLS, where a connection fails in a way that a mismatch would explain. Sends no secret."""

import asyncio
import ssl
from contextlib import suppress

from hopfield_service.store.redis_refusals import Refusal

_SPEAKS_TLS = Refusal("it speaks TLS; begin the URL with rediss://", lasting=True)
_SPEAKS_NO_TLS = Refusal("it does not speak TLS; begin the URL with redis://, or name its TLS port", lasting=True)


async def mismatch(host: str, port: int, *, tls: bool, seconds: float) -> Refusal | None:
    """What is wrong with the scheme of a URL, if anything is.

    Args:
        host: of Redis.
        port: of Redis.
        tls: whether the URL asks for TLS.
        seconds: that this may take.

    Returns:
        None where the server speaks as the URL says, or does not answer.
    """
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            if tls:
                return _SPEAKS_NO_TLS if await _answers_plainly(host, port) else None
            return _SPEAKS_TLS if await _shakes_hands(host, port) else None
    return None


async def _answers_plainly(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"PING\r\n")
        return await reader.read(1) in {b"+", b"-"}
    finally:
        writer.close()


async def _shakes_hands(host: str, port: int) -> bool:
    # Nothing is sent over this connection, so that it does not matter who answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        # A refusal in TLS is TLS.
        return "ALERT" in (error.reason or "")
    writer.close()
    return True
