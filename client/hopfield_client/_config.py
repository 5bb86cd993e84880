"""How the client connects."""

import json
import math
from dataclasses import dataclass

from hopfield_client._errors import InvalidArgument

# gRPC keeps a request for another attempt only up to this size (256 KiB unless set): as much as a server takes in one message.
_RETRY_BUFFER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryConfig:
    """How calls are repeated when the server is unavailable.

    Every repeat stays within the call's timeout, and is safe: a change carries an id by which the server recognises it. A call
    that still fails raises Unavailable. Requests of more than 64 MiB, such as weights of 3,000 neurons, are not repeated.
    """

    attempts: int = 4
    """Attempts at one call, the first included: 1 to 5 (gRPC allows no more). 1 never repeats."""

    initial_backoff: float = 0.1
    """Seconds before the second attempt, give or take a fifth. At least 0.01."""

    max_backoff: float = 2.0
    """Longest wait before an attempt, in seconds. At least 0.01."""

    multiplier: float = 2.0
    """Each wait is so many times the one before. At least 1."""

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise InvalidArgument(f"attempts is {self.attempts}; it must be 1 to 5", field="attempts")
        # Calls whose wait rounds to no millisecond hang in gRPC until their deadline (grpc/grpc#41036).
        for name, least in (("initial_backoff", 0.01), ("max_backoff", 0.01), ("multiplier", 1)):
            if not least <= getattr(self, name) < math.inf:
                raise InvalidArgument(f"{name} is {getattr(self, name)}; it must be at least {least}", field=name)


DEFAULT_RETRY = RetryConfig()


def channel_options(retry: RetryConfig) -> list[tuple[str, str | int]]:
    """The options of a gRPC channel that repeats calls as `retry` says and takes messages of any size."""
    options: list[tuple[str, str | int]] = [
        # The server sets the limit on what it takes; what it answers was asked for.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
    if retry.attempts == 1:
        return [*options, ("grpc.enable_retries", 0)]
    policy = {
        "maxAttempts": retry.attempts,
        "initialBackoff": f"{retry.initial_backoff:.9f}s",
        "maxBackoff": f"{retry.max_backoff:.9f}s",
        "backoffMultiplier": retry.multiplier,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    # A name without service and method stands for every call.
    service_config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
    return [
        *options,
        ("grpc.service_config", json.dumps(service_config)),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
    ]
