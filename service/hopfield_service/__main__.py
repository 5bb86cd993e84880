"""`hopfield-server`: the way in. See command_line.py for what it understands."""

import os
import signal
import sys


def main() -> None:
    """Runs the command line."""
    # What takes long to load comes after this, so that a signal in the first second ends the service as a later one does.
    # A health check that is ended has not found anything healthy.
    status = 1 if "healthcheck" in sys.argv else 0
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not by an exception, which an import may be in no state to let through. There is nothing yet to be closed.
        signal.signal(number, lambda *_: os._exit(status))
    # gRPC's own words on stderr repeat what is said here, or in a status; an operator who wants them sets it otherwise.
    # It is read when gRPC is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from hopfield_service.logs import open_standard_streams  # noqa: PLC0415

    # Before anything else is opened.
    open_standard_streams()
    from hopfield_service import command_line  # noqa: PLC0415

    command_line.run()


if __name__ == "__main__":
    main()
