"""What is logged: lines on stderr."""

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
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_caller_gone)


def _is_no_caller_gone(record: logging.LogRecord) -> bool:
    """Whether gRPC does not say, with a traceback, that the caller of a call it was about to answer had gone."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")
