"""One of several processes that serve one address. Started by supervisor.py, and by nobody else.

Its settings come on stdin, as one line of JSON. When stdin ends, the supervisor is gone, and the worker ends too.
"""

import asyncio
import os
import signal
import sys
import threading


def main() -> None:
    """Serves until it is told to end."""
    name, settings_json = sys.argv[1], sys.stdin.readline()
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    # gRPC reads it when it is loaded. See __main__.py.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from hopfield_service import server  # noqa: PLC0415
    from hopfield_service.ending import end_process_after  # noqa: PLC0415
    from hopfield_service.logs import log_to_stderr  # noqa: PLC0415
    from hopfield_service.settings import Settings  # noqa: PLC0415

    settings = Settings.model_validate_json(settings_json)
    log_to_stderr(settings.log_level, name)
    asyncio.run(end_process_after(server.serve(settings, shares_address=True), server.CANNOT_SERVE))


def _end_with_the_supervisor() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
