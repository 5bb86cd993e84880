"""The settings: each is a field here, `HOPFIELD_...` in the environment, a flag, and a line in `hopfield-server --help`."""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hopfield_service.machine import memory_bytes

ENV_PREFIX = "HOPFIELD_"

MESSAGES_IN_FLIGHT = 16
"""How many of the largest messages the bytes in flight hold at least."""
# The answers of a stream alone may take a quarter of it.
_LEAST_BYTES_IN_FLIGHT = 16 << 20

# Of sockaddr_un.sun_path, with the byte that ends it: 108 on Linux, 104 on macOS.
_LONGEST_SOCKET_PATH = 103

# What pydantic finds wrong, in words for people who do not know it.
_RULES = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "float_parsing": "must be a number",
    "finite_number": "must be a number, and finite",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


# One listens to announcements, the others do everything else.
_MIN_CONNECTIONS = 2
# What may stand after the ? of a Redis URL: none of these changes how replies are read.
_REDIS_OPTIONS = {
    *("db", "username", "password", "client_name", "max_connections", "health_check_interval", "retry_on_timeout"),
    *("socket_timeout", "socket_connect_timeout", "socket_keepalive"),
    *("ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname"),
    *("ssl_ciphers", "ssl_exclude_verify_flags", "ssl_include_verify_flags", "ssl_keyfile", "ssl_min_version"),
    "ssl_password",
}
# Options that redis-py knows, and that the service would fail with or pass over.
_REFUSED_OPTIONS = {
    *("decode_responses", "encoder_class", "encoding", "encoding_errors", "legacy_responses", "parser_class"),
    *("protocol", "single_connection_client", "socket_read_size", "timeout"),
}


def _default_data_dir() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/hopfield")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "hopfield"


class Settings(BaseSettings):
    """How the service runs."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        # A URL may hold a password.
        hide_input_in_errors=True,
    )

    listen: str = Field(
        "127.0.0.1:50051",
        description="Where to serve: host:port, of which port 0 picks a free one, or unix:/path.",
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        validate_default=True,
        description="Where the private Valkey server keeps its files; not used with a Redis URL.",
    )
    appendfsync: Literal["always", "everysec"] = Field(
        "always",
        description="When the private Valkey server writes to disk: always, before a change is answered; or everysec, "
        "faster, which may lose the last second when the machine (not merely the process) goes down.",
    )
    valkey_bytes: int = Field(
        default_factory=lambda: memory_bytes() // 2,
        ge=8 << 20,
        description="Bytes of memory that the private Valkey server takes for data, at most; beyond, changes are refused with "
        "STORAGE_FULL, and recalls and deletes go on. Half of what the machine or the container has, unless set.",
    )
    redis_url: str = Field(
        "",
        repr=False,
        description="The Redis to keep memories in, redis://, rediss:// or unix://; empty for a private Valkey server. "
        "It must be no replica and no node of a cluster.",
    )
    redis_password_file: Path | None = Field(
        None,
        description="A file with the password of Redis, read for each new connection: a changed password needs no "
        "restart. Empty for the password in the URL, which stays the same until a restart.",
    )
    redis_connections: int = Field(
        64,
        ge=_MIN_CONNECTIONS,
        le=1 << 14,
        description="Connections to Redis, of each worker, at most; with fewer that Redis accepts, calls wait for one.",
    )
    redis_prefix: str = Field("hopfield", description="What every key in Redis begins with.")
    redis_timeout: float = Field(
        0.7,
        gt=0,
        allow_inf_nan=False,
        description="Seconds in which Redis must answer, sending the command again included; then it counts as away.",
    )
    redis_wait_replicas: int = Field(
        0,
        ge=0,
        le=100,
        description="Replicas of Redis that must have a change before it is answered (WAIT); with 0, what was answered a moment "
        "before the Redis is lost for good may be lost with it.",
    )
    max_neurons: int = Field(16_384, ge=1, le=1 << 17, description="Neurons of a memory, at most.")
    max_patterns: int = Field(65_536, ge=1, le=1 << 24, description="Patterns stored in one memory, at most.")
    max_iterations: int = Field(1_000_000, ge=1, lt=1 << 32, description="Iterations of a recall, at most.")
    max_message_bytes: int = Field(16 << 20, ge=1 << 16, lt=1 << 31, description="Bytes of one gRPC message, at most.")
    max_bytes_in_flight: int = Field(
        0,
        ge=0,
        description="Bytes that all calls in flight of a worker may take together: messages, what is computed from them, "
        "answers. At least 16 MiB and 16 times the bytes of a message; with 0 half of the memory of the machine or "
        "container, shared out among the workers.",
    )
    max_calls: int = Field(1000, ge=1, le=1 << 20, description="Calls in flight of a worker, at most.")
    max_snapshot_bytes: int = Field(
        256 << 20, ge=0, description="Bytes of a snapshot, at most; a larger memory is always folded from its log."
    )
    cache_bytes: int = Field(
        2 << 30, ge=0, description="Bytes of loaded networks to keep; the one last used always stays."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Threads that run kernels, of each worker; one a core, shared out among the workers, unless set.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=1 << 10,
        description="Processes that serve, on one address. One takes about one core for RPC; each keeps networks of its own.",
    )
    grace: float = Field(
        10.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that calls in flight are given to finish after SIGTERM; a second SIGTERM gives them none.",
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds after SIGTERM in which the service goes on serving while health says NOT_SERVING, so that "
        "callers and load balancers move away; it ends early once no connection is open. SIGINT skips it.",
    )
    max_connection_age: float = Field(
        300.0,
        ge=1,
        le=1e6,
        allow_inf_nan=False,
        description="Seconds after which a connection is closed, give or take a tenth, so that callers spread over new "
        "replicas; calls on it finish first, however long they take.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged to stderr.")

    @property
    def bytes_in_flight(self) -> int:
        """`max_bytes_in_flight`, or what is taken where it is 0."""
        share = memory_bytes() // 2 // self.workers
        return self.max_bytes_in_flight or max(share, _least_bytes_in_flight(self.max_message_bytes))

    @property
    def where(self) -> str:
        """Where the memories are kept, without user, password and options."""
        if not self.redis_url:
            return str(self.data_dir)
        parts = urlsplit(self.redis_url)
        if parts.scheme == "unix":
            return f"unix://{parts.path}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port is not None else ''}{parts.path}"

    @field_validator("listen")
    @classmethod
    def _listen_is_an_address(cls, value: str) -> str:
        if value.startswith("unix:"):
            path = re.sub("^//(?=/)", "", value.removeprefix("unix:"))
            if not 0 < len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH or "\0" in path or path.startswith("//"):
                raise ValueError(f"must be unix: and a path of at most {_LONGEST_SOCKET_PATH} bytes")
            return f"unix:{path}"
        host, colon, port = value.rpartition(":")
        if not (host and colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 1 << 16):
            raise ValueError("must be host:port, with a port from 0 to 65535, or unix:/path")
        if ":" in host and not re.fullmatch(r"\[.*\]", host):
            raise ValueError("must have brackets around an IPv6 address, as in [::1]:50051")
        return value

    @field_validator("workers")
    @classmethod
    def _workers_share_a_port(cls, value: int, info: ValidationInfo) -> int:
        # The system shares a TCP port among processes (SO_REUSEPORT), and no Unix socket.
        if value > 1 and str(info.data.get("listen", "")).startswith("unix:"):
            raise ValueError("must be 1 where HOPFIELD_LISTEN is a Unix socket")
        return value

    @field_validator("data_dir")
    @classmethod
    def _data_dir_is_absolute(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError as error:
            raise ValueError("must be a directory without ~: the home directory it stands for is not known") from error

    @field_validator("redis_url")
    @classmethod
    def _redis_url_is_understood(cls, value: str) -> str:
        # A secret that comes from a file often ends with a line end.
        url = value.strip()
        if url:
            _check_redis_url(url)
        return url

    @field_validator("redis_password_file")
    @classmethod
    def _password_is_given_once(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        url = str(info.data.get("redis_url", ""))
        if value is not None and (not url or _has_password(url)):
            raise ValueError(f"may be set only with {variable('redis_url')}, and without a password in it")
        return value if value is None else value.expanduser().absolute()

    @field_validator("redis_prefix")
    @classmethod
    def _redis_prefix_is_plain(cls, value: str) -> str:
        # What cannot be seen is a mistake, and braces say which node of a Redis Cluster has a key.
        if not (value.isprintable() and re.fullmatch(r"[^\s{}]+", value)):
            raise ValueError("must be printable characters other than spaces and braces")
        return value

    @field_validator("max_bytes_in_flight")
    @classmethod
    def _messages_fit_in_flight(cls, value: int, info: ValidationInfo) -> int:
        least = _least_bytes_in_flight(info.data.get("max_message_bytes", 0))
        if 0 < value < least:
            raise ValueError(
                f"must be at least 16 MiB and {MESSAGES_IN_FLIGHT} times {variable('max_message_bytes')}, {least}, or 0"
            )
        return value

    @field_validator("appendfsync", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: str) -> str:
        return value.lower()


def _least_bytes_in_flight(max_message_bytes: int) -> int:
    return max(_LEAST_BYTES_IN_FLIGHT, MESSAGES_IN_FLIGHT * max_message_bytes)


def _check_redis_url(url: str) -> None:
    """Finds what the Redis client would find too late, or would pass over.

    Raises:
        ValueError: says what is wrong, and never what the URL is, which may hold a password.
    """
    # Takes a sixth of a second to import, which a service without a Redis URL need not spend.
    from redis.asyncio import ConnectionPool, RedisError  # noqa: PLC0415

    if "#" in url or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError("must be without # and spaces; write them in a password as %23 and %20")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("must be a URL") from None
    if not re.match(r"(redis|rediss|unix)://", url):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("must name a socket, as in unix:///run/redis.sock")
    else:
        try:
            parts.port  # noqa: B018 - parsed when it is asked for
        except ValueError:
            raise ValueError(
                "must have a port from 0 to 65535; write /, ? and # in a password as %2F, %3F and %23"
            ) from None
        if not parts.hostname:
            raise ValueError("must name a host, as in redis://host:6379/0; write / and ? in a password as %2F and %3F")
        if not re.fullmatch(r"(/[0-9]*)?", parts.path):
            raise ValueError(
                "must have the number of a database, or nothing, after the host, as in redis://host:6379/0"
            )
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options.keys() - _REDIS_OPTIONS:
        # What is not known to be the name of an option may be part of a password.
        which = f"has {name}" if name in _REFUSED_OPTIONS else "has an option after the ? that is not known"
        raise ValueError(f"{which}; docs/storage.md lists those that it may have")
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"must name a file by {name}")
    try:
        # Makes what a connection is made of, and connects to nothing.
        pool = ConnectionPool.from_url(url)
        database = pool.make_connection().db  # type: ignore[no-untyped-call]
    except (RedisError, TypeError, ValueError):
        raise ValueError("has an option after the ? that is not known, or has a value that it cannot have") from None
    if database < 0:
        raise ValueError("must have a database from 0 on")
    if pool.max_connections < _MIN_CONNECTIONS:
        raise ValueError(f"must have max_connections of at least {_MIN_CONNECTIONS}")


def _has_password(url: str) -> bool:
    parts = urlsplit(url)
    return parts.password is not None or "password" in dict(parse_qsl(parts.query))


def problems(error: ValidationError, flags: Iterable[str]) -> Iterator[str]:
    """What is wrong with settings, a line each.

    Args:
        error: of making them.
        flags: the fields that were given on the command line; the others are named as they are in the environment.
    """
    for problem in error.errors():
        field = str(problem["loc"][0])
        name = flag(field) if field in flags else variable(field)
        bounds = {
            name: f"{bound:.15g}" if isinstance(bound, float) else bound
            for name, bound in problem.get("ctx", {}).items()
        }
        rule = _RULES[problem["type"]].format(**bounds)
        # It may hold a password.
        value = "" if field in {"redis_url", "redis_password_file"} else f", not {str(problem['input'])!r}"
        yield f"{name} {rule}{value}"


def flag(field: str) -> str:
    """What a setting is called on the command line."""
    return f"--{field.replace('_', '-')}"


def variable(field: str) -> str:
    """What a setting is called in the environment."""
    return ENV_PREFIX + field.upper()


def misspelt(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables of an environment that look like settings and are none, each with the setting that was likely meant."""
    known = [variable(field) for field in Settings.model_fields]
    for name in sorted(environment):
        upper = name.upper()
        if not upper.startswith(ENV_PREFIX) or upper in known or _of_kubernetes(upper, environment[name]):
            continue
        # In deploy/compose.yaml that one chooses the port, outside of the container.
        yield name, "HOPFIELD_LISTEN" if upper == "HOPFIELD_PORT" else difflib.get_close_matches(upper, known, 1, 0)[0]


def _of_kubernetes(name: str, value: str) -> bool:
    """Whether this is one of the variables that every container gets beside a Kubernetes service named `hopfield`."""
    return bool(re.match(r"HOPFIELD_(SERVICE_(HOST|PORT)|PORT_\d+_)", name)) or (
        name == "HOPFIELD_PORT" and "://" in value
    )
