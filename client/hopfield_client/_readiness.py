"""Whether a server is ready, as grpc.health.v1 tells it, without I/O; both clients drive it."""

from hopfield_client._addresses import Addresses
from hopfield_client._config import RetryConfig, timeout_of
from hopfield_client._errors import DeadlineExceeded, HopfieldError, Unavailable, Unimplemented
from hopfield_client._retrying import Attempts

HEALTH_CHECK = "/grpc.health.v1.Health/Check"
"""The method to ask, of the server as a whole: its request is empty, and so has no bytes."""

# A HealthCheckResponse whose status is SERVING.
_SERVING = b"\x08\x01"
# Of one question: a server that is silent so long is asked again.
_PATIENCE = 5.0


class Readiness:
    """The wait for a server to be ready.

    Attributes:
        attempts: at asking it.
    """

    def __init__(self, addresses: Addresses, timeout: float) -> None:
        self._addresses = addresses
        self._timeout = timeout_of(timeout)
        self.attempts = Attempts(RetryConfig(), self._timeout)
        self._why = ""

    def seconds_left(self) -> float:
        """Give the seconds that the next question may take."""
        return min(self.attempts.seconds_left(), _PATIENCE)

    def judge(self, answer: bytes) -> HopfieldError | None:
        """Return what to raise after this answer should there be no time to ask again; None if the server is ready."""
        return None if answer == _SERVING else self._not_ready("it runs, and health says that it does not serve")

    def judge_error(self, error: HopfieldError) -> HopfieldError | None:
        """Judge an error, as `judge` an answer. A server that knows no health is ready when it answers."""
        if isinstance(error, Unimplemented):
            return None
        if isinstance(error, DeadlineExceeded):
            # The last question may have had next to no time: what came of those before says more.
            return self._not_ready(self._why or str(error))
        return self._not_ready(str(error)) if isinstance(error, Unavailable) else error

    def _not_ready(self, why: str) -> Unavailable:
        self._why = why
        return Unavailable(f"{self._addresses.text} was not ready within {self._timeout:g} s: {why}")
