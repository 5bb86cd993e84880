"""The address to serve on: taken by one process, or shared by several of one service."""

import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

_UNIX = "unix:"

# The states of connections in the tables of Linux.
_TCP_ESTABLISHED, _TCP_CLOSE_WAIT = "01", "08"
_UNIX_CONNECTED = "03"


class CannotListen(RuntimeError):
    """The address to serve on cannot be had."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that is taken.

    Attributes:
        address: host:port with the port that the system chose, or unix:/path.
        socket_file: inode of the Unix socket; None of a host and port.
    """

    address: str
    socket_file: int | None

    @property
    def _path(self) -> str:
        return self.address.removeprefix(_UNIX)

    def is_connected(self) -> bool:
        """Tell whether this process has a connection to a caller; True where the system does not say."""
        try:
            own = {match[1] for link in _links("/proc/self/fd") if (match := re.match(r"socket:\[(\d+)]", link))}
            if self.socket_file is not None:
                lines = Path("/proc/self/net/unix").read_text("utf-8", "replace").splitlines()
                entries = (line.split(None, 7) for line in lines[1:])
                return any(len(entry) > 7 and self._is_caller_of_socket(entry, own) for entry in entries)
            port = f"{int(self.address.rpartition(':')[2]):04X}"
            lines = [line for table in ("tcp", "tcp6") for line in _table(f"/proc/self/net/{table}")]
        except OSError:
            return True
        return any(
            entry[1].endswith(f":{port}") and entry[3] in {_TCP_ESTABLISHED, _TCP_CLOSE_WAIT} and entry[9] in own
            for entry in (line.split() for line in lines)
        )

    def _is_caller_of_socket(self, entry: list[str], own: set[str]) -> bool:
        state, inode, path = entry[5:8]
        return state == _UNIX_CONNECTED and inode in own and path == self._path

    def release(self) -> None:
        """Remove the file of the Unix socket, unless another process has put its own in its place."""
        with suppress(OSError):
            if self.socket_file is not None and Path(self._path).stat().st_ino == self.socket_file:
                Path(self._path).unlink()


def listen_on(server: grpc.aio.Server, listen: str) -> Listener:
    """Take the address for a gRPC server.

    Raises:
        CannotListen: says why.
    """
    if listen.startswith(_UNIX):
        # gRPC removes any socket that lies there, also one that another process serves on.
        why = _why_no_socket(listen.removeprefix(_UNIX))
        if why:
            raise CannotListen(f"cannot serve on {listen}: {why}")
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        why = "it could not be had a moment ago; try again"
        if not listen.startswith(_UNIX):
            why = _why_not(listen) or why
        raise CannotListen(f"cannot serve on {listen}: {why}") from error
    if listen.startswith(_UNIX):
        return Listener(listen, Path(listen.removeprefix(_UNIX)).stat().st_ino)
    return Listener(f"{listen.rpartition(':')[0]}:{port}", None)


@contextmanager
def shared(listen: str) -> Iterator[str]:
    """Keeps an address for processes of one service, each of which binds it with SO_REUSEPORT, and from everybody else.

    Yields:
        The address, with the port that the system chose if it was to be 0.

    Raises:
        CannotListen: says why.
    """
    why = _why_not(listen)
    if why:
        raise CannotListen(f"cannot serve on {listen}: {why}")
    host, _, port = listen.rpartition(":")
    kept: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _addresses(listen):
            one = socket.socket(family, kind, protocol)
            kept.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6 and len(kept) > 1:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Bound, and not listening: the system passes no connection to it.
            one.bind((address[0], int(port), *address[2:]))
            port = str(one.getsockname()[1])
        yield f"{host}:{port}"
    finally:
        for one in kept:
            one.close()


def _why_not(listen: str) -> str:
    """Finds out by trying why an address cannot be served on, which gRPC does not say; "" if it can be."""
    host = listen.rpartition(":")[0]
    try:
        found = _addresses(listen)
    except OSError as error:
        return f"the host name {host} is not known ({error.strerror})"
    except UnicodeError:
        return f"{host} is no host name"
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "another process serves there; choose another port, or 0 for a free one"
            if error.errno == errno.EADDRNOTAVAIL:
                return "the address is none of this machine"
            return (error.strerror or str(error)).lower()
    return ""


def _why_no_socket(path: str) -> str:
    """Find out why a Unix socket cannot be made at a path; "" if it can be, also where a dead process left one."""
    try:
        if Path(path).exists() and not Path(path).is_socket():
            return "there is a file that is no socket; choose another path"
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        directory = Path(path).parent
        if not directory.is_dir():
            return f"there is no directory {directory}; make it first"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"the directory {directory} cannot be written to"
        return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "another process serves there; choose another path"


def _addresses(listen: str) -> list[tuple[Any, ...]]:
    """What `socket.getaddrinfo` says of it."""
    host, _, port = listen.rpartition(":")
    return [*socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)]


def _links(directory: str) -> Iterator[str]:
    for entry in Path(directory).iterdir():
        # One that was closed since is gone.
        with suppress(OSError):
            yield str(entry.readlink())


def _table(path: str) -> list[str]:
    """The lines of a table of Linux's; none where the machine has no such protocol."""
    with suppress(FileNotFoundError):
        return Path(path).read_text("ascii").splitlines()[1:]
    return []
