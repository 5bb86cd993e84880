"""Looks at Redis now and then: whether it answers, takes changes, and still holds the same store."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError, RedisError, ResponseError

from hopfield_service.store import redis_refusals
from hopfield_service.store.layout import Keys
from hopfield_service.store.redis_client import BoundedRedis
from hopfield_service.store.redis_refusals import Refusal, code_of, refusal_of

# Changes nothing, and asks which of the commands that a change needs the user may not run on the keys of the service.
# ARGV: the key of a memory, the index of names. Redis 6 cannot be asked.
_RIGHTS = """
if not redis.acl_check_cmd then return {} end
local key, names = ARGV[1], ARGV[2]
local denied = {}
for _, command in ipairs({
    {'DEL', key}, {'EXISTS', key}, {'EXPIRE', key, '1'}, {'GET', key}, {'HDEL', key, 'f'}, {'HGET', key, 'f'},
    {'HGETALL', key}, {'HINCRBY', key, 'f', '1'}, {'HMGET', key, 'f'}, {'HSET', key, 'f', 'v'}, {'PERSIST', key},
    {'RENAME', key, key}, {'SET', key, 'v'}, {'TTL', key}, {'UNLINK', key}, {'XADD', key, '*', 'f', 'v'},
    {'XRANGE', key, '-', '+'}, {'XTRIM', key, 'MINID', '1'}, {'ZADD', names, '0', 'm'},
    {'ZRANGEBYLEX', names, '-', '+'}, {'ZREM', names, 'm'},
}) do
    if not redis.acl_check_cmd(unpack(command)) then denied[#denied + 1] = command[1] end
end
return denied
"""
_RIGHTS_DIGEST = hashlib.sha1(_RIGHTS.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Condition:
    """What Redis does for the service now.

    Attributes:
        answers: whether it answers questions.
        takes_changes: whether it takes changes.
        refusal: why it does not do both; None where it does.
        store_id: of the store that it holds; "" where it holds none, None where it does not say.
    """

    answers: bool
    takes_changes: bool
    refusal: Refusal | None
    store_id: str | None


class Probe:
    """Questions to one Redis. They need one connection, and write nothing but the id of the store where there is none."""

    def __init__(self, client: BoundedRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._last: Condition | None = None

    async def condition(self) -> Condition:
        """Asks once, also while Redis is known to be away.

        SET with NX on a key that exists changes nothing, and Redis refuses it whenever it would refuse a change.
        """
        await self._redis.tend()
        began = asyncio.get_running_loop().time()
        try:
            found = await self._look()
            if found.refusal is redis_refusals.REPLICA:
                # Another server may have its address now.
                await self._redis.reconnect()
                found = await self._look()
        except RedisError as error:
            if self._last is not None and self._last.answers and self._redis.last_answer > began:
                # It has answered others meanwhile: there were too few connections for this.
                return self._last
            refusal = refusal_of(error)
            if refusal in {redis_refusals.SILENT, redis_refusals.CLOSED}:
                refusal = await self._redis.reason_of_failure() or refusal
            found = Condition(answers=False, takes_changes=False, refusal=refusal, store_id=None)
        self._last = found
        return found

    async def _look(self) -> Condition:
        alive, put, store_id, denied = await self._ask()
        if isinstance(denied, NoScriptError):
            denied = await self._denied()
        refused = _first_refusal(put, store_id, denied)
        # A Redis that cannot write to its disk refuses PING, too.
        if isinstance(alive, ResponseError) and code_of(alive) != "MISCONF":
            refused = refused or refusal_of(alive)
        known = None if isinstance(store_id, RedisError) else (store_id or b"").decode()
        return Condition(answers=True, takes_changes=refused is None, refusal=refused, store_id=known)

    async def _ask(self) -> Sequence[Any]:
        async with self._redis.bounded(reserved=True), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.ping()
            pipeline.set(self._keys.store, secrets.token_hex(8), nx=True)
            pipeline.get(self._keys.store)
            pipeline.evalsha(_RIGHTS_DIGEST, 0, *self._of_rights())
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    async def _denied(self) -> Any:
        """The answer to the question about rights, by a Redis that does not know it yet."""
        async with self._redis.bounded(reserved=True), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.script_load(_RIGHTS)
            pipeline.evalsha(_RIGHTS_DIGEST, 0, *self._of_rights())
            loaded, denied = await pipeline.execute(raise_on_error=False)
        return loaded if isinstance(loaded, RedisError) else denied

    def _of_rights(self) -> tuple[str, str]:
        return self._keys.store, self._keys.names

    async def lasting_refusal(self) -> Refusal | None:
        """Why Redis is none to keep memories in, where only somebody who changes settings can mend that."""
        found = await self.condition()
        if found.refusal is not None and found.refusal.lasting:
            return found.refusal
        if not found.answers:
            return None
        try:
            told = await self._redis.info()
        except RedisError:
            # It may be forbidden. A replica and a node of a cluster refuse what was asked above.
            return None
        if told.get("redis_mode") == "sentinel":
            return redis_refusals.SENTINEL
        if told.get("cluster_enabled"):
            return redis_refusals.CLUSTER
        return redis_refusals.REPLICA if told.get("role") == "slave" else None


def _first_refusal(put: Any, store_id: Any, denied: Any) -> Refusal | None:
    """Why changes are refused, by the answers to a write, to a read, and about rights."""
    for answer in (put, store_id, denied):
        if isinstance(answer, RedisError):
            return refusal_of(answer)
    if not denied:
        return None
    commands = ", ".join(command.decode() for command in denied)
    return redis_refusals.missing_rights(commands)
