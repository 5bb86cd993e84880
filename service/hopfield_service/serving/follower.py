"""Loaded networks follow what other replicas commit, whether they are told of it or not."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from hopfield_service.errors import StorageFull, StorageUnavailable
from hopfield_service.serving.loader import NetworkLoader
from hopfield_service.store.probe import Condition
from hopfield_service.store.redis_refusals import refusal_of
from hopfield_service.store.redis_store import RedisStore

_log = logging.getLogger(__name__)

# Seconds between two questions. What nobody was told of is noticed after so long, and so is what Redis refuses, or does again.
_PERIOD = 0.5
# Seconds in which a reason that alternates with another is not logged again.
_QUIET = 30.0
# Memories asked about at once: more would keep the event loop for milliseconds.
_PAGE = 500


class Follower:
    """Listens to what replicas announce, and asks all the same, since announcements may be lost, and Redis with them."""

    def __init__(self, store: RedisStore, loader: NetworkLoader) -> None:
        """Does nothing before `ask` or `follow`.

        Args:
            store: to ask.
            loader: of the networks that follow.
        """
        self._store = store
        self._loader = loader
        self._writability_changed: Callable[[bool], Awaitable[None]] | None = None
        self._condition: Condition | None = None
        self._store_id = ""
        # When each reason was last logged, by time.monotonic().
        self._told: dict[str, float] = {}

    @property
    def takes_changes(self) -> bool:
        """Whether Redis took changes when it was last asked."""
        return self._condition is not None and self._condition.takes_changes

    async def follow(self, writability_changed: Callable[[bool], Awaitable[None]]) -> None:
        """Listens and asks, until it is cancelled.

        Args:
            writability_changed: told, whenever it changes, whether Redis takes changes.
        """
        self._writability_changed = writability_changed
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._ask_for_ever())

    async def _ask_for_ever(self) -> None:
        while True:
            try:
                await self.ask()
            except Exception:  # noqa: BLE001 - the outermost edge of a task of its own
                _log.exception("a look at what was committed failed")
            await asyncio.sleep(_PERIOD)

    async def ask(self) -> None:
        """Asks once what Redis does, and where every loaded memory stands."""
        condition, before = await self._store.probe.condition(), self._condition
        took_changes = self.takes_changes
        self._condition = condition
        self._store.away = not condition.answers
        self._tell(condition, before)
        if self._writability_changed is not None and condition.takes_changes is not took_changes:
            await self._writability_changed(condition.takes_changes)
        if not condition.answers:
            return
        if before is None or not before.answers:
            await self._warn_of_risks()
        await self._compare_store(condition)
        names = self._loader.cached_names()
        # A page that fails says nothing of Redis: the next question does.
        with suppress(StorageUnavailable):
            for start in range(0, len(names), _PAGE):
                page = names[start : start + _PAGE]
                for name, position in zip(page, await self._store.positions(page), strict=True):
                    self._loader.found_at(name, position)

    def _tell(self, condition: Condition, before: Condition | None) -> None:
        """Logs what changed: that Redis went or came back, and every other reason."""
        if condition.refusal is None:
            if before is not None and before.refusal is not None:
                _log.warning("Redis takes changes again" if before.answers else "Redis is back")
                self._told.clear()
            return
        reason = condition.refusal.reason
        if before is None or before.refusal is None or condition.answers is not before.answers:
            if condition.answers:
                _log.error("Redis takes no changes: %s. Recalls go on", reason)
            else:
                _log.error(
                    "Redis is away: %s. Loaded memories are served on, everything else is refused until it is back",
                    reason,
                )
        elif reason != before.refusal.reason and time.monotonic() - self._told.get(reason, -_QUIET) >= _QUIET:
            _log.error("Redis still %s: %s", "takes no changes" if condition.answers else "is not there", reason)
        self._told[reason] = time.monotonic()

    async def _warn_of_risks(self) -> None:
        with suppress(StorageUnavailable, StorageFull):
            for risk in await self._store.risks():
                _log.warning("Redis may lose memories: %s", risk)

    async def _compare_store(self, condition: Condition) -> None:
        """Says once when Redis holds another store than it did before."""
        known, present = self._store_id, condition.store_id
        if present is None:
            return
        if known and present != known:
            loaded = len(self._loader.cached_names())
            with suppress(StorageUnavailable, StorageFull):
                _log.error(
                    "Redis holds another store than before (its id was %s and is %s): it was emptied, restarted without its "
                    "data, or another one has its address. Memories loaded here: %d; memories in Redis now: %d",
                    *(known, present or "gone", loaded, await self._store.count()),
                )
                self._store_id = present
        else:
            self._store_id = present

    async def _listen(self) -> None:
        heard = True
        while True:
            try:
                async for name in self._store.announcements():
                    if not heard:
                        _log.info("commits of other replicas are heard of again")
                        heard = True
                    self._loader.changed(name)
            except StorageUnavailable as error:
                if heard and self._condition is not None and self._condition.refusal is None:
                    _log.warning(
                        "commits of other replicas are not heard of (%s); they are asked for every %g s all the same",
                        *(refusal_of(error.__cause__ or error).reason, _PERIOD),
                    )
                    heard = False
            except Exception:  # noqa: BLE001 - the outermost edge of a task of its own
                _log.exception("listening to commits failed")
            await asyncio.sleep(_PERIOD)
