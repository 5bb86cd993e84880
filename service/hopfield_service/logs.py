"""What the service says: lines of a log on stderr, and how often; one line on stdout. It goes on where nobody reads."""

import logging
import os
import sys
import time

_log = logging.getLogger(__name__)
_STANDARD_DESCRIPTORS = 3


def open_standard_streams() -> None:
    """Puts the null device in place of each standard stream that is closed.

    Otherwise the next file or socket would take the number of the stream, and Python would have no `sys.stdout`.
    """
    for descriptor in range(_STANDARD_DESCRIPTORS):
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def say(line: str) -> None:
    """Writes a line to stdout, for whoever started the process. Logs it where stdout is broken, as a closed pipe is."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        _log.warning("stdout cannot be written to (%s): %s", error.strerror, line)
        # What could not be written stays in the buffer, and would fail again at the end.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process lives


def log_to_stderr(level: str, process: str = "") -> None:
    """Logs from now on.

    Args:
        level: debug, info, warning or error.
        process: which of several processes says it; "" where there is one.
    """
    name = f"{process} " if process else ""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)s {name}%(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_caller_gone)


class Repeats(logging.Filter):
    """Drops a message that the logger has logged a moment ago."""

    def __init__(self, seconds: float) -> None:
        """Drops a repeat that comes within some seconds."""
        super().__init__()
        self._seconds = seconds
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        message, now = record.getMessage(), time.monotonic()
        self._logged = {text: when for text, when in self._logged.items() if now - when < self._seconds}
        if message in self._logged:
            return False
        self._logged[message] = now
        return True


def _is_no_caller_gone(record: logging.LogRecord) -> bool:
    """Whether gRPC does not say, with a traceback, that the caller of a call it was about to answer had gone."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")
