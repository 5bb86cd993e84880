"""The settings: each is a field here, `HOPFIELD_...` in the environment, a flag, and a line in `hopfield-server --help`."""

import os
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data_dir() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "hopfield"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "hopfield"


class Settings(BaseSettings):
    """How the service runs."""

    model_config = SettingsConfigDict(env_prefix="HOPFIELD_", extra="forbid", frozen=True)

    listen: str = Field("127.0.0.1:50051", description="Where to serve, host:port; port 0 picks a free one.")
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Where the private Valkey server keeps its files; not used with a Redis URL.",
    )
    appendfsync: Literal["always", "everysec"] = Field(
        "always",
        description="When the private Valkey server writes to disk: always, before a change is answered; or everysec, "
        "faster, which may lose the last second when the machine (not merely the process) goes down.",
    )
    redis_url: str = Field(
        "",
        description="The Redis to keep memories in, redis://, rediss:// or unix://; empty for a private Valkey server.",
    )
    redis_prefix: str = Field("hopfield", min_length=1, description="What every key in Redis begins with.")
    redis_timeout: float = Field(
        2.0, gt=0, description="Seconds to wait for an answer of Redis before the command is sent again."
    )
    max_neurons: int = Field(16_384, ge=1, le=1 << 17, description="Neurons of a memory, at most.")
    max_patterns: int = Field(65_536, ge=1, le=1 << 24, description="Patterns stored in one memory, at most.")
    max_iterations: int = Field(1_000_000, ge=1, lt=1 << 32, description="Iterations of a recall, at most.")
    max_message_bytes: int = Field(64 << 20, ge=1 << 16, lt=1 << 31, description="Bytes of one gRPC message, at most.")
    max_snapshot_bytes: int = Field(
        256 << 20, ge=0, description="Bytes of a snapshot, at most; a larger memory is always folded from its log."
    )
    cache_bytes: int = Field(
        2 << 30, ge=0, description="Bytes of loaded networks to keep; the one last used always stays."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Threads that run kernels; one a core unless set.",
    )
    grace: float = Field(10.0, ge=0, description="Seconds that calls in flight are given to finish after SIGTERM.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged to stderr.")

    @field_validator("listen")
    @classmethod
    def _listen_is_host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
            raise ValueError("must be host:port, with a port from 0 to 65535")
        return value
