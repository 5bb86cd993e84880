"""What goes wrong with Redis, in our words. Redis's own go to the log and not to callers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError, ResponseError

from hopfield_service.errors import CorruptMemory, StorageFull, StorageUnavailable
from hopfield_service.logs import Repeats
from hopfield_service.store.codec import Corrupt
from hopfield_service.store.redis_client import RedisAway
from hopfield_service.store.redis_refusals import refusal_of

_log = logging.getLogger(__name__)
# While something is wrong with Redis, it is wrong with every request.
_log.addFilter(Repeats(10.0))


@contextmanager
def errors_translated() -> Iterator[None]:
    """Translates what Redis raises inside.

    Raises:
        Corrupt: a key holds another type than what is written there.
        StorageFull: Redis takes no more.
        StorageUnavailable: it does not answer, or refuses for a reason that may pass.
    """
    try:
        yield
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            raise Corrupt(str(error)) from error
        refusal = refusal_of(error)
        _log.error("Redis refuses a command: %s", refusal.reason)
        if refusal.full:
            raise StorageFull from error
        raise StorageUnavailable(refuses=True) from error
    except RedisAway as error:
        # The follower says when and why it went.
        raise StorageUnavailable from error
    except RedisError as error:
        _log.warning("a command to Redis failed: %s", refusal_of(error).reason)
        raise StorageUnavailable from error


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """As `errors_translated`, for what is stored of one memory.

    Raises:
        CorruptMemory: it cannot be read.
        StorageFull, StorageUnavailable: as there.
    """
    try:
        with errors_translated():
            yield
    except Corrupt as error:
        _log.error("memory %r: %s", name, error)
        raise CorruptMemory(name) from error
