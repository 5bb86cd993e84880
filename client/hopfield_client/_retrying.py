"""When a call that failed is tried again: within its timeout, and never before the server asked for it."""

import random
import time

import grpc

from hopfield_client._config import RetryConfig
from hopfield_client._errors import DeadlineExceeded, HopfieldError

# Statuses after which another attempt may find the server, or another one. Only of them a server that
# stops says CANCELLED, of calls it never began or could not finish.
_OF_THE_CONNECTION = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
# Of a wait, by which callers that failed together come back apart.
_SPREAD = 0.2
# What is left of a timeout for the last attempt, at least.
_SHORTEST_ATTEMPT = 0.001
# What must be left of a timeout for another attempt.
_NO_LONGER_WORTH_IT = 0.2


class Attempts:
    """The attempts at one call, of which the first begins now."""

    def __init__(self, retry: RetryConfig, seconds: float) -> None:
        self._retry = retry
        self._deadline = time.monotonic() + seconds
        self._failed = 0
        self._before: HopfieldError | None = None

    def seconds_left(self) -> float:
        """Give the seconds that the next attempt may take."""
        return max(self._deadline - time.monotonic(), _SHORTEST_ATTEMPT)

    def pause(self, error: HopfieldError) -> float | None:
        """Take note of a failed attempt.

        Returns:
            Seconds to wait before the next one; None if there is none: `error` is to be raised.
        """
        self._failed += 1
        if isinstance(error, DeadlineExceeded) and self._before is not None:
            error.add_note(f"An attempt before it failed: {self._before}")
        self._before = error
        asked = error.retry_after
        if error.code not in _OF_THE_CONNECTION and asked is None:
            return None
        if self._retry.attempts is not None and self._failed >= self._retry.attempts:
            return None
        backoff = min(
            self._retry.initial_backoff * self._retry.multiplier ** min(self._failed - 1, 64), self._retry.max_backoff
        )
        wait = backoff * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret
        left = self._deadline - time.monotonic()
        if asked is not None:
            wait = max(wait, asked * random.uniform(1, 1 + 2 * _SPREAD))  # noqa: S311 - no secret
            return wait if wait < left else None
        # The last attempts come closer to one another, so that the end of the timeout is made use of.
        return min(wait, left / 2) if left > _NO_LONGER_WORTH_IT else None
