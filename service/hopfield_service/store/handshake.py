"""What answers at the address of Redis, where a connection fails without a reason. Sends no secret."""

import asyncio
import ssl
from contextlib import suppress

from redis.exceptions import ResponseError

from hopfield_service.store.redis_refusals import Refusal, refusal_of

_SPEAKS_TLS = Refusal("it speaks TLS; begin the URL with rediss://", lasting=True)
_SPEAKS_NO_TLS = Refusal("it does not speak TLS; begin the URL with redis://, or name its TLS port", lasting=True)
# Seconds in which a server that turns a connection away says so.
_GREETING_SECONDS = 0.2


async def reason_of_failure(host: str, port: int, *, tls: bool, seconds: float) -> Refusal | None:
    """Why a connection without an error of its own fails.

    Args:
        host: of Redis.
        port: of Redis.
        tls: whether the URL asks for TLS.
        seconds: that this may take.

    Returns:
        None where that remains unknown.
    """
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            if tls:
                return _SPEAKS_NO_TLS if await _answers_plainly(host, port) else None
            return await _turned_away(host, port) or (
                _SPEAKS_TLS if await _shakes_hands(host, port, seconds / 2) else None
            )
    return None


async def _answers_plainly(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"PING\r\n")
        return await reader.read(1) in {b"+", b"-"}
    finally:
        writer.transport.abort()


async def _turned_away(host: str, port: int) -> Refusal | None:
    """Why Redis closes a connection at once. A client that sends first may lose these words."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(_GREETING_SECONDS):
            said = await reader.readline()
    except TimeoutError:
        return None
    finally:
        writer.transport.abort()
    return refusal_of(ResponseError(said[1:].decode(errors="replace").strip())) if said.startswith(b"-") else None


async def _shakes_hands(host: str, port: int, seconds: float) -> bool:
    # Nothing is sent over this connection, so that it does not matter who answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        # By the timeout of asyncio itself, since a handshake that is cancelled leaves its socket open.
        _, writer = await asyncio.open_connection(host, port, ssl=context, ssl_handshake_timeout=seconds)
    except ssl.SSLError as error:
        # A refusal in TLS is TLS.
        return "ALERT" in (error.reason or "")
    writer.transport.abort()
    return True
