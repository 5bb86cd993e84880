"""A proxy between the service and Redis that loses replies."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class ReplyLosingProxy:
    """Passes everything on, except the replies to the next scripts that it is told to lose.

    Attributes:
        url: of Redis, seen through the proxy.
        lost: how many replies it has lost.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.lost = 0
        self._to_lose, self._to = 0, b""
        self._then_close = False
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_replies(self, count: int, *, then_close: bool, to: str = "EVALSHA") -> None:
        """Loses the replies to the next `count` scripts, and closes the connection or leaves it open and silent.

        With the digest of a script in `to`, those to that script alone.
        """
        self._to_lose, self._then_close, self._to = count, then_close, to.encode()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += [near, far]
                # Set by the way there for the way back: the reply to come is to be lost.
                losing = threading.Event()
                threading.Thread(target=self._there, args=(near, far, losing), daemon=True).start()
                threading.Thread(target=self._back, args=(far, near, losing), daemon=True).start()

    def _there(self, near: socket.socket, far: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                if self._to in data and self._to_lose:
                    self._to_lose -= 1
                    losing.set()
                far.sendall(data)
            far.close()

    def _back(self, far: socket.socket, near: socket.socket, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(1 << 16):
                if not losing.is_set():
                    near.sendall(data)
                    continue
                losing.clear()
                self.lost += 1
                if self._then_close:
                    near.shutdown(socket.SHUT_RDWR)
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
