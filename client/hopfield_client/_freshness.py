"""What a client has seen of each memory, so that it is never answered from an older state."""

from collections.abc import Callable
from typing import Any

from hopfield.v1 import memory_pb2
from hopfield_client._process import ForkedLock


class Freshness:
    """The newest uid and revision seen of each memory. Threads may share it."""

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[str, int]] = {}
        self._lock = ForkedLock()

    def __getstate__(self) -> dict[str, Any]:
        """A copy has seen as much."""
        with self._lock:
            return {"_tokens": dict(self._tokens)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._tokens = state["_tokens"]
        self._lock = ForkedLock()

    def token(self, name: str) -> memory_pb2.FreshnessToken | None:
        """What to send with a call that reads the memory."""
        with self._lock:
            held = self._tokens.get(name)
        return None if held is None else memory_pb2.FreshnessToken(uid=held[0], revision=held[1])

    def watch(self, name: str) -> Callable[[str, int], None]:
        """To be called before asking; what it returns notes the uid and the revision that come with the answer."""
        with self._lock:
            uid_before, _ = self._tokens.get(name, (None, 0))

        def note(uid: str, revision: int) -> None:
            with self._lock:
                held_uid, held_revision = self._tokens.get(name, (None, 0))
                if uid == held_uid:
                    self._tokens[name] = (uid, max(held_revision, revision))
                elif held_uid == uid_before:
                    self._tokens[name] = (uid, revision)
                # Else another thread has seen the memory deleted or made anew since we asked: our answer is of the old one.

        return note

    def drop(self, name: str) -> None:
        """Forgets a memory."""
        with self._lock:
            self._tokens.pop(name, None)
