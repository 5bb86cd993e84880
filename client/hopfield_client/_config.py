"""How the client connects: where to, for how long, and how often it tries."""

import json
import math
from dataclasses import dataclass

from hopfield_client import _process
from hopfield_client._addresses import Addresses
from hopfield_client._arguments import UINT32_MAX, integer, real_number
from hopfield_client._errors import InvalidArgument

# Some thirty years; beyond, gRPC counts in too few bits, and calls fail at once.
_LONGEST_TIMEOUT = 1e9

_BASE_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # The server sets the limit on what it takes; what it answers was asked for.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Attempts are made here, since gRPC makes five at most and knows no RetryInfo.
    ("grpc.enable_retries", 0),
    # A connection that a router between has forgotten is noticed within 10 s of a call, and within 30 s without any.
    # The server takes pings from every 5 s on.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Of the pings by which gRPC measures a connection, which come before those that keep it alive.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A server that is back is found within a second or so (gRPC's own waits grow to two minutes), and an
    # address that does not answer at all is given up after 5 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryConfig:
    """How calls are repeated when the server is unavailable or overloaded.

    Repeats go on within the call's timeout, and to another server where there are several. They are safe: a change carries an
    id by which the server recognises it. A call that still fails raises what the last attempt did. Where the server says after
    which time to try again, no attempt is made before.

    Attributes:
        attempts: attempts at one call, the first included; None: as many as the timeout allows. 1 never repeats.
        initial_backoff: seconds before the second attempt, give or take a fifth. At least 0.01.
        max_backoff: longest wait before an attempt, in seconds. At least 0.01.
        multiplier: each wait is so many times the one before. At least 1.
    """

    attempts: int | None = None
    initial_backoff: float = 0.1
    max_backoff: float = 1.0
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        if self.attempts is not None:
            integer(self.attempts, "attempts", 1, UINT32_MAX)
        for name, least in (("initial_backoff", 0.01), ("max_backoff", 0.01), ("multiplier", 1)):
            if not least <= real_number(getattr(self, name), name) < math.inf:
                raise InvalidArgument(f"{name} is {getattr(self, name)}; it must be at least {least}", field=name)


DEFAULT_RETRY = RetryConfig()


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


def retry_of(retry: RetryConfig) -> RetryConfig:
    """The configuration, if it is one.

    Raises:
        InvalidArgument: it is none.
    """
    if not isinstance(retry, RetryConfig):
        raise InvalidArgument(f"retry is {retry!r}; it must be a RetryConfig (attempts=1 never repeats)", field="retry")
    return retry


def channel_options(addresses: Addresses) -> list[tuple[str, str | int]]:
    """The options of a gRPC channel to these addresses."""
    options = list(_BASE_OPTIONS)
    if addresses.local or "," in addresses.target:
        options.append(("grpc.enable_http_proxy", 0))
    if addresses.spread:
        # To each server in turn that says it serves.
        service_config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
        if addresses.checks_health:
            service_config["healthCheckConfig"] = {"serviceName": ""}
        options.append(("grpc.service_config", json.dumps(service_config)))
    if _process.is_forked():
        # The connections that channels of one process share are the parent's.
        options.append(("grpc.use_local_subchannel_pool", 1))
    return options
