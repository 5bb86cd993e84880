"""Loaded networks follow what other replicas commit, whether they are told of it or not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hopfield_service.errors import StorageUnavailable
from hopfield_service.serving.loader import NetworkLoader
from hopfield_service.store.redis_store import RedisStore

_log = logging.getLogger(__name__)

# Seconds between two questions. What nobody was told of is noticed after so long, and so is that Redis is away, or back.
_PERIOD = 0.5


class Follower:
    """Listens to what replicas announce, and asks all the same, since announcements may be lost, and Redis with them."""

    def __init__(
        self, store: RedisStore, loader: NetworkLoader, availability_changed: Callable[[bool], Awaitable[None]]
    ) -> None:
        """Does nothing before `ask` or `follow`.

        Args:
            store: to ask.
            loader: of the networks that follow.
            availability_changed: told, whenever it changes, whether Redis answers.
        """
        self._store = store
        self._loader = loader
        self._availability_changed = availability_changed

    async def follow(self) -> None:
        """Listens and asks, until it is cancelled."""
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
        """Asks once where every loaded memory stands, and thereby whether Redis answers."""
        names = self._loader.cached_names()
        try:
            positions = await self._store.positions(names)
        except StorageUnavailable:
            if not self._store.away:
                self._store.away = True
                _log.error("Redis is away: what is loaded is served on, everything else is refused until it is back")
                await self._availability_changed(False)
            return
        if self._store.away:
            self._store.away = False
            _log.warning("Redis is back")
            await self._availability_changed(True)
        for name, position in zip(names, positions, strict=True):
            self._loader.found_at(name, position)

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
                if heard and not self._store.away:
                    _log.warning(
                        "commits are not heard of (%s): they are asked for every %g s all the same",
                        *(error.__cause__, _PERIOD),
                    )
                    heard = False
            except Exception:  # noqa: BLE001 - the outermost edge of a task of its own
                _log.exception("listening to commits failed")
            await asyncio.sleep(_PERIOD)
