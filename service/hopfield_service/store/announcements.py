"""What replicas tell each other: which memories were just changed. Redis sends it on to who listens, and keeps nothing of it."""

from collections.abc import AsyncIterator

from redis.exceptions import ConnectionError as RedisConnectionError

from hopfield_service.store import layout
from hopfield_service.store.layout import Keys
from hopfield_service.store.redis_client import BoundedRedis

# Seconds after which a silent connection is asked whether it still is one, and after which it is not where nothing came then.
_SILENCE = 5.0


async def announced_names(client: BoundedRedis, keys: Keys, but_of: str) -> AsyncIterator[str]:
    """Names of memories as they are changed, from now on, by any replica but one.

    Ends when another server may be at the address: then subscribe again.

    Raises:
        redis.exceptions.RedisError: Redis is away, or lets us not listen.
    """
    async with client.pubsub() as subscription:
        async with client.bounded(reserved=True):
            await subscription.subscribe(keys.commits)
        asked = False
        while True:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_SILENCE)
            if client.is_stale(subscription):
                return
            if message is None and asked:
                raise RedisConnectionError("a subscription is silent, even when asked")
            asked = message is None
            if message is None:
                async with client.bounded(reserved=True):
                    await subscription.ping()
            elif message["type"] == "message":
                name, by = layout.read_announcement(message["data"])
                if by != but_of:
                    yield name
