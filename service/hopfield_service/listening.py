"""The address to serve on: taken by one process, or shared by several of one service."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc


class CannotListen(RuntimeError):
    """The address to serve on cannot be had."""


def bound_port(server: grpc.aio.Server, listen: str) -> int:
    """Takes the address for a gRPC server.

    Returns:
        The port, which the system chose if it was to be 0.

    Raises:
        CannotListen: says why.
    """
    try:
        return server.add_insecure_port(listen)
    except RuntimeError as error:
        why = _why_not(listen) or "it could not be had a moment ago; try again"
        raise CannotListen(f"cannot serve on {listen}: {why}") from error


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


def _addresses(listen: str) -> list[tuple[Any, ...]]:
    """What `socket.getaddrinfo` says of it."""
    host, _, port = listen.rpartition(":")
    return [*socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)]
