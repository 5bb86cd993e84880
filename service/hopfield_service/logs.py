"""What is logged: lines on stderr."""

import logging
import sys
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


def say_on_stdout(line: str) -> None:
    """Write a line for whoever started the process and waits for it. That nobody reads it is no reason to end."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        logging.getLogger(__name__).warning("stdout takes nothing (%s), so this is said here: %s", error.strerror, line)
