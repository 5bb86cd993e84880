"""Why Redis cannot be used, in words, and with what to do about it. docs/storage.md has the same as a table.

The words hold nothing of a URL, a user, a password or a request: what Redis says of them is not repeated.
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Redis refuses something.

    Attributes:
        reason: what is wrong and what to do, without an end: part of a line of the log.
        lasting: whether it stays so until somebody changes settings, here or in Redis.
        full: whether Redis refuses since it has no room.
    """

    reason: str
    lasting: bool = False
    full: bool = False


class PasswordFileUnusable(RedisError):
    """The file with the password cannot be read, or has none."""


CLUSTER = Refusal(
    "it is a node of a Redis Cluster, which is not supported; name a Redis with cluster-enabled no", lasting=True
)
REPLICA = Refusal("it is a replica (READONLY) and takes no changes; name its primary", lasting=True)
SENTINEL = Refusal("it is a Sentinel, which keeps no data; name the primary that it watches", lasting=True)
CROWDED = Refusal(
    "it has as many connections as it allows (max number of clients reached); raise its maxclients, or lower "
    "HOPFIELD_REDIS_CONNECTIONS of the services that share it"
)
CLOSED = Refusal("it closed the connection; see whether it runs, and is no gateway without a Redis behind it")
SILENT = Refusal("it does not answer within HOPFIELD_REDIS_TIMEOUT; see whether it runs and is not overloaded")

# By the code that an error of Redis begins with. redis-py takes some codes away and makes classes of them.
_BY_CODE = {
    "NOAUTH": Refusal(
        "it asks for a password (NOAUTH); give one by HOPFIELD_REDIS_PASSWORD_FILE or in HOPFIELD_REDIS_URL",
        lasting=True,
    ),
    "WRONGPASS": Refusal(
        "it does not accept the user or the password (WRONGPASS); correct HOPFIELD_REDIS_PASSWORD_FILE or "
        "HOPFIELD_REDIS_URL, or enable the user (ACL SETUSER)",
        lasting=True,
    ),
    "NOPASS": Refusal(
        "it has no password, and one is given; remove it, or name a user that has one",
        lasting=True,
    ),
    "DENIED": Refusal(
        "it runs in protected mode (DENIED) and serves its own machine alone; set a password there, or protected-mode no",
        lasting=True,
    ),
    "DATABASE": Refusal(
        "it has no database of that number (DB index is out of range); name one that it has, as 0",
        lasting=True,
    ),
    "READONLY": REPLICA,
    "MASTERDOWN": Refusal(
        "it is a replica that lost its primary (MASTERDOWN); name the primary",
        lasting=True,
    ),
    "CLUSTER": CLUSTER,
    "NOREPLICAS": Refusal(
        "too few of its replicas are in step (NOREPLICAS); bring them back, or lower its min-replicas-to-write"
    ),
    "LOADING": Refusal("it is loading its data (LOADING) and answers when it is done"),
    "BUSY": Refusal("it is busy with a script (BUSY); see SCRIPT KILL if that does not end"),
    "OOM": Refusal("its memory is full (OOM); raise its maxmemory, or delete memories", full=True),
    "CLIENTS": CROWDED,
}
_MISCONF = "it cannot write to its disk (MISCONF); its own log says why"
_DISK_FULL = "its disk is full (MISCONF, No space left on device); make room there"

_BY_CLASS = {
    BusyLoadingError: "LOADING",
    MasterDownError: "MASTERDOWN",
    NoPermissionError: "NOPERM",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    **dict.fromkeys((AskError, ClusterCrossSlotError, ClusterDownError, TryAgainError), "CLUSTER"),
}
# Redis says this of databases, passwords and clients, under no code of its own.
_BY_WORDS = {
    "DB index is out of range": "DATABASE",
    "SELECT is not allowed in cluster mode": "CLUSTER",
    "max number of clients reached": "CLIENTS",
    "without any password configured": "NOPASS",
    "no password is set": "NOPASS",
    "Authentication required": "NOAUTH",
    "ACL failure in script": "NOPERM",
}
# At the beginning, or, in an error that a script passes on (Redis 6), after a hyphen.
_CODE = re.compile(r"(?:^|-)([A-Z]{3,})(?= )")


def refusal_of(error: BaseException) -> Refusal:
    """Why Redis refuses, by what redis-py raised."""
    code = code_of(error)
    if code == "NOPERM":
        return _missing_right(_denied(str(error)))
    if code == "MISCONF":
        full = "No space left" in str(error)
        return Refusal(_DISK_FULL if full else _MISCONF, full=full)
    if code in _BY_CODE:
        return _BY_CODE[code]
    if isinstance(error, AuthenticationError):
        return _BY_CODE["WRONGPASS"]
    if isinstance(error, InvalidResponse):
        return Refusal(
            "what answers there does not speak the protocol of Redis; correct the address, and use rediss:// if it "
            "speaks TLS",
            lasting=True,
        )
    if isinstance(error, PasswordFileUnusable):
        return Refusal(str(error), lasting=True)
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return SILENT
    if isinstance(error, ResponseError):
        return Refusal(f"it says {_without_arguments(str(error))!r}")
    return _of_connecting(error)


def missing_rights(commands: str) -> Refusal:
    """Why a user who may not run some commands cannot make changes."""
    return _missing_right(f"run {commands}")


def _missing_right(what: str) -> Refusal:
    return Refusal(
        f"its user may not {what} (NOPERM); grant the rights that docs/storage.md lists (ACL SETUSER)", lasting=True
    )


def code_of(error: BaseException) -> str:
    """The code of an error reply of Redis, as READONLY; "" where it is none of those known here."""
    text = str(error)
    for words, code in _BY_WORDS.items():
        if words in text:
            return code
    for kind, code in _BY_CLASS.items():
        if isinstance(error, kind):
            return code
    return next((code for code in _CODE.findall(text) if code in _BY_CODE or code in {"MISCONF", "NOPERM"}), "")


def _denied(text: str) -> str:
    """What Redis says that a user may not do; not who the user is."""
    command = re.search(r"'([\w|]+)' command", text)
    if command:
        return f"run {command[1].upper().replace('|', ' ')}"
    if "channel" in text:
        return "use the channel of announcements"
    return "use the keys of the service" if "key" in text else "run a command"


def _without_arguments(text: str) -> str:
    """An error of Redis without the arguments that it repeats."""
    return text.partition(", with args")[0][:200]


def _of_connecting(error: BaseException) -> Refusal:
    """Why there is no connection, by the error of the system that is behind one of redis-py."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refusal(
                f"its TLS certificate is not accepted ({cause.verify_message}); name the authority that signed it by "
                "?ssl_ca_certs=FILE, and the host as the certificate has it",
                lasting=True,
            )
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Refusal("it closed the connection during the TLS handshake; see whether it speaks TLS")
        if isinstance(cause, ssl.SSLError):
            return Refusal(
                f"there is no TLS connection to it ({cause.reason or 'SSL error'}); use redis:// if it does not speak "
                "TLS, and see the options ssl_* if it asks for a certificate",
                lasting=True,
            )
        if isinstance(cause, socket.gaierror):
            return Refusal(
                f"its host name cannot be resolved ({cause.strerror}); correct it, or see to the name server"
            )
        if isinstance(cause, OSError) and _number(cause) == errno.ECONNREFUSED:
            return Refusal("nobody listens at its address (Connection refused); start it, or correct the address")
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return CLOSED
        if isinstance(cause, FileNotFoundError):
            return Refusal(
                "a file that the URL names is not there (No such file or directory): the socket, or a file of TLS"
            )
        if isinstance(cause, PermissionError):
            return Refusal("a file that the URL names may not be opened (Permission denied)", lasting=True)
        if isinstance(cause, OSError) and _number(cause):
            words = os.strerror(_number(cause))
            return Refusal(f"there is no connection to it ({words}); see to the network and to its address")
    return CLOSED


def _number(error: OSError) -> int:
    """The errno of an error, or of the first of those that asyncio lists in one where a host has several addresses."""
    listed = re.search(r"\[Errno (\d+)\]", str(error))
    return error.errno or (int(listed[1]) if listed else 0)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
