"""How the client connects: where to, for how long, and how often it tries."""

import json
import math
import re
from dataclasses import dataclass

from hopfield_client._arguments import integer, real_number, string
from hopfield_client._errors import InvalidArgument

# gRPC keeps a request for another attempt only up to this size (256 KiB unless set): as much as a server takes in one message.
_RETRY_BUFFER_BYTES = 64 * 1024 * 1024

# Some thirty years; beyond, gRPC counts in too few bits, and calls fail at once.
_LONGEST_TIMEOUT = 1e9

_HOST_AND_PORT = re.compile(r"(?:[^\s:/\[\]]+|\[[^\s/\[\]]+\]):([0-9]{1,5})")
_TARGET = re.compile(r"(?:unix|unix-abstract|dns|ipv4|ipv6):.+")


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryConfig:
    """How calls are repeated when the server is unavailable.

    Every repeat stays within the call's timeout, and is safe: a change carries an id by which the server recognises it. A call
    that still fails raises Unavailable. Requests of more than 64 MiB, such as weights of 3,000 neurons, are not repeated.

    Attributes:
        attempts: attempts at one call, the first included: 1 to 5 (gRPC allows no more). 1 never repeats.
        initial_backoff: seconds before the second attempt, give or take a fifth. At least 0.01.
        max_backoff: longest wait before an attempt, in seconds. At least 0.01.
        multiplier: each wait is so many times the one before. At least 1.
    """

    attempts: int = 4
    initial_backoff: float = 0.1
    max_backoff: float = 2.0
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        integer(self.attempts, "attempts", 1, 5)
        # Calls whose wait rounds to no millisecond hang in gRPC until their deadline (grpc/grpc#41036).
        for name, least in (("initial_backoff", 0.01), ("max_backoff", 0.01), ("multiplier", 1)):
            if not least <= real_number(getattr(self, name), name) < math.inf:
                raise InvalidArgument(f"{name} is {getattr(self, name)}; it must be at least {least}", field=name)


DEFAULT_RETRY = RetryConfig()


def address_of(address: str) -> str:
    """The address, if it is one.

    Raises:
        InvalidArgument: it is neither "host:port" nor a target as gRPC spells them.
    """
    match = _HOST_AND_PORT.fullmatch(string(address, "address"))
    if not (match and 1 <= int(match[1]) <= 65535) and not _TARGET.fullmatch(address):
        raise InvalidArgument(
            f"address is {address!r}; it must be 'host:port' with a port of 1 to 65535, or 'unix:path'", field="address"
        )
    return address


def timeout_of(timeout: float) -> float:
    """The timeout in seconds.

    Raises:
        InvalidArgument: it is no number, not positive, or without end: every call has a deadline.
    """
    seconds = real_number(timeout, "timeout")
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise InvalidArgument(
            f"timeout is {timeout}; it must be more than 0 and at most {_LONGEST_TIMEOUT:g} seconds", field="timeout"
        )
    return seconds


def channel_options(retry: RetryConfig) -> list[tuple[str, str | int]]:
    """The options of a gRPC channel that repeats calls as `retry` says and takes messages of any size.

    Raises:
        InvalidArgument: `retry` is no RetryConfig.
    """
    if not isinstance(retry, RetryConfig):
        raise InvalidArgument(f"retry is {retry!r}; it must be a RetryConfig (attempts=1 never repeats)", field="retry")
    options: list[tuple[str, str | int]] = [
        # The server sets the limit on what it takes; what it answers was asked for.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
    if retry.attempts == 1:
        return [*options, ("grpc.enable_retries", 0)]
    policy = {
        "maxAttempts": int(retry.attempts),
        "initialBackoff": f"{retry.initial_backoff:.9f}s",
        "maxBackoff": f"{retry.max_backoff:.9f}s",
        "backoffMultiplier": float(retry.multiplier),
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    # A name without service and method stands for every call.
    service_config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
    return [
        *options,
        ("grpc.service_config", json.dumps(service_config)),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
    ]
