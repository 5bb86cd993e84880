"""HTTP/2 frames written by hand: what no client of gRPC can be made to send."""

import socket
import struct
from types import TracebackType
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
_END_HEADERS, _ACK, _CANCEL = 4, 1, 8


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def call(method: str) -> bytes:
    """The payload of the HEADERS frame that begins a call."""
    return b"".join(
        _literal(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", method.encode()),
            (b":authority", b"localhost"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )


class RawConnection:
    """A connection on which frames go out as they are told, and nothing that comes is answered."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=120)
        self._stream = 1
        # It takes the settings of the server as they are.
        self.send(_PREFACE + frame(SETTINGS) + frame(SETTINGS, _ACK))

    def send(self, frames: bytes) -> None:
        """Sends bytes."""
        self._socket.sendall(frames)

    def begin(self, method: str) -> int:
        """Begins a call; the stream that it has."""
        stream, self._stream = self._stream, self._stream + 2
        self.send(frame(HEADERS, _END_HEADERS, stream, call(method)))
        return stream

    def begun_and_reset(self, method: str, count: int) -> bytes:
        """The frames that begin calls and reset each at once."""
        payload, frames = call(method), []
        for _ in range(count):
            frames.append(frame(HEADERS, _END_HEADERS, self._stream, payload))
            frames.append(frame(RST_STREAM, 0, self._stream, struct.pack(">I", _CANCEL)))
            self._stream += 2
        return b"".join(frames)

    def frames(self) -> "list[tuple[int, int]]":
        """The kinds and flags of the frames that come until the server ends the connection."""
        received = b""
        try:
            while part := self._socket.recv(1 << 16):
                received += part
        except ConnectionError:
            pass
        found = []
        while len(received) >= 9:
            size = int.from_bytes(received[:3], "big")
            found.append((received[3], received[4]))
            received = received[9 + size :]
        return found

    def ping(self) -> None:
        """Sends a PING and waits for its answer, or for the end of the connection."""
        self.send(frame(PING, 0, 0, b"12345678"))
        received = b""
        while frame(PING, _ACK, 0, b"12345678") not in received:
            part = self._socket.recv(1 << 16)
            assert part, "the server ended the connection"
            received += part

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
