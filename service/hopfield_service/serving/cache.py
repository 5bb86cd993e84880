"""The networks that are loaded: as many as fit, the one unused for longest out first."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from hopfield_service.core.network import Network
from hopfield_service.store.layout import Head

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network, and where its memory stood when it was that network.

    Attributes:
        head: at the revision of the network.
        network: what the operations up to that revision add up to.
        tail: cost of the operations since the snapshot of the head, as `Network.cost` counts it.
    """

    head: Head
    network: Network
    tail: int


# What a network takes beside its arrays: objects, and the labels with their dictionary.
_OBJECTS = 4096
_LABEL = 200


class NetworkCache:
    """Loaded networks by the name of their memory, up to a number of bytes; the one last used stays whatever its size."""

    def __init__(self, limit_bytes: int, dropped: Callable[[object, int], None] | None = None) -> None:
        """Takes the bytes to keep, and what is told of a network that is kept no longer, and of its bytes."""
        self._limit = limit_bytes
        self._dropped = dropped
        self._total = 0
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()

    def names(self) -> list[str]:
        """The memories whose networks are kept."""
        return list(self._loaded)

    def get(self, name: str) -> Loaded | None:
        """The network of a memory, which is thereby used."""
        loaded = self._loaded.get(name)
        if loaded is not None:
            self._loaded.move_to_end(name)
        return loaded

    def peek(self, name: str) -> Loaded | None:
        """The network of a memory, looked at and not used."""
        return self._loaded.get(name)

    def put(self, loaded: Loaded) -> None:
        """Keeps a network in place of that of an earlier revision; an earlier one than is kept is not kept."""
        name = loaded.head.name
        kept = self._loaded.get(name)
        if kept is not None and kept.head.uid == loaded.head.uid and kept.head.revision > loaded.head.revision:
            return
        # In its place in the order: to be kept up to date is not to be used.
        self._loaded[name] = loaded
        size = _bytes_of(loaded)
        if kept is not None and kept.network is not loaded.network:
            self._say_dropped(kept)
        self._total += size - (0 if kept is None else _bytes_of(kept))
        if size > self._limit and (kept is None or _bytes_of(kept) <= self._limit):
            _log.warning(
                "memory %r takes %d bytes, more than the %d of the cache (HOPFIELD_CACHE_BYTES): it is kept alone, until another is used",
                *(name, size, self._limit),
            )
        while self._total > self._limit and len(self._loaded) > 1:
            self.drop(next(iter(self._loaded)))

    def drop(self, name: str) -> None:
        """Keeps the network of this memory no longer."""
        loaded = self._loaded.pop(name, None)
        if loaded is not None:
            self._total -= _bytes_of(loaded)
            self._say_dropped(loaded)

    def _say_dropped(self, loaded: Loaded) -> None:
        if self._dropped is not None:
            self._dropped(loaded.network, _bytes_of(loaded))


def _bytes_of(loaded: Loaded) -> int:
    return loaded.network.nbytes + _OBJECTS + _LABEL * len(loaded.network.stored)
