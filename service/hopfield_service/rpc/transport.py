"""How gRPC is set up beneath the calls: what comes before a call is accepted, and when a connection counts as dead."""

from typing import Final

# Of calls that have come and are not accepted yet. Each takes some 14 kilobytes.
_UNACCEPTED_CALLS: Final = 1 << 15
# Seconds that a call may wait to be accepted: its own deadline is what ends it.
_UNACCEPTED_SECONDS: Final = 1 << 20
# Of the calls that may be in flight, the share that may come beyond them on one connection.
_REFUSED_SHARE: Final = 4
# Bytes of a message that come before it is read.
_UNREAD_BYTES: Final = 1 << 16
# Milliseconds. Callers may ping a connection every five seconds, and a little early.
_PINGED_EVERY: Final = 4_500
_PING_EVERY: Final = 30_000
_PONG_WITHIN: Final = 10_000


def options(
    max_message_bytes: int, max_calls: int, max_connection_age: float, *, shares_address: bool
) -> list[tuple[str, int]]:
    """The options of a gRPC server.

    Args:
        max_message_bytes: of one message that comes.
        max_calls: that may be in flight.
        max_connection_age: seconds after which a connection is closed.
        shares_address: whether other processes of this service serve on the address too.
    """
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # A server of another service on the same port is a mistake, and must fail instead of taking half of the calls.
        ("grpc.so_reuseport", int(shares_address)),
        # gRPC answers what exceeds these with a bare CANCELLED: by default some calls beyond 1,000, all beyond 3,000, and
        # those that have waited for 30 seconds.
        ("grpc.server.max_pending_requests", _UNACCEPTED_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", _UNACCEPTED_CALLS),
        ("grpc.server_max_unrequested_time_in_server", _UNACCEPTED_SECONDS),
        # A client holds back what exceeds this. More calls than may be in flight must come, to be refused with a reason.
        ("grpc.max_concurrent_streams", max_calls + max_calls // _REFUSED_SHARE + 1),
        # It would count calls that have ended, and reset others without a reason.
        ("grpc.http.overload_protection", 0),
        # What is not read must not pile up: gRPC would let a fast connection send megabytes ahead.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNREAD_BYTES),
        # A caller with an idle track may ping its connection. By default gRPC ends a connection pinged every 10 s.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PINGED_EVERY),
        # And this server asks too, so that the calls of a connection gone silent end.
        ("grpc.keepalive_time_ms", _PING_EVERY),
        ("grpc.keepalive_timeout_ms", _PONG_WITHIN),
        ("grpc.http2.ping_timeout_ms", _PONG_WITHIN),
        # gRPC spreads the age by a tenth either way, and lets calls finish without a limit.
        ("grpc.max_connection_age_ms", round(max_connection_age * 1000)),
    ]
