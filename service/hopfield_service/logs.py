"""What is logged: lines on stderr, and how often."""

import logging
import time


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
