"""Everything the client raises.

HopfieldError
├── InvalidArgument (also a ValueError)      INVALID_ARGUMENT, or refused here before anything was sent
├── NotFound (also a LookupError)            NOT_FOUND
├── AlreadyExists                            ALREADY_EXISTS
├── Conflict                                 ABORTED
├── FailedPrecondition                       FAILED_PRECONDITION
├── Unauthenticated                          UNAUTHENTICATED
├── PermissionDenied                         PERMISSION_DENIED
├── ResourceExhausted                        RESOURCE_EXHAUSTED
│   └── Overloaded                           RESOURCE_EXHAUSTED with the time after which to try again
├── Unavailable                              UNAVAILABLE
├── DeadlineExceeded (also a TimeoutError)   DEADLINE_EXCEEDED
├── Cancelled                                CANCELLED
├── ClientClosed                             nothing was sent: the client is closed
├── WrongEventLoop (also a RuntimeError)     nothing was sent: an AsyncHopfieldClient belongs to one event loop
├── DataLoss                                 DATA_LOSS, or an answer that breaks off
├── Unimplemented                            UNIMPLEMENTED
└── InternalError                            INTERNAL, UNKNOWN and every other code
"""

from collections.abc import Mapping

import grpc


class HopfieldError(Exception):
    """Base of everything the client raises; `str(error)` is a sentence for people.

    Attributes:
        code: the gRPC status code, also of errors that the client raises without asking the server.
        reason: what happened, for programs: a value of hopfield.v1.ErrorReason without its prefix, such as "LABEL_EXISTS". None
            where the error does not come from the service itself (the client refused, or gRPC failed).
        metadata: what the reason is about, such as the name of the memory and the label.
        field: the argument that is wrong, where one is; an item of it as "labels[3]".
        retry_after: seconds after which the server asks to try again.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    reason: str | None
    metadata: dict[str, str]
    field: str | None
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field = field
        self.retry_after = retry_after


class InvalidArgument(HopfieldError, ValueError):
    """An argument breaks a rule: a wrong shape, size, value or word. The message names it."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(HopfieldError, LookupError):
    """There is no memory of that name, or no pattern of that label in it."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(HopfieldError):
    """The name of the memory or the label of the pattern is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class Conflict(HopfieldError):
    """Someone else changed the memory first; `metadata["revision"]` says where it is now."""

    code = grpc.StatusCode.ABORTED


class FailedPrecondition(HopfieldError):
    """The memory is not in a state that allows the call, such as storing where the weights were imported."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Unauthenticated(HopfieldError):
    """The server does not know who is calling."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(HopfieldError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhausted(HopfieldError):
    """A limit of the server is reached: patterns in a memory, storage, or the size of one message."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Overloaded(ResourceExhausted):
    """The server has too much to do; try again after `retry_after` seconds."""


class Unavailable(HopfieldError):
    """The server, or the storage behind it, does not answer; the client has tried again as its RetryConfig says."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(HopfieldError, TimeoutError):
    """No answer came within the timeout.

    A change that was asked for may or may not have been made; the message says what repeating the call does if it was.
    """

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Cancelled(HopfieldError):
    """The call was given up, as when the client is closed while it runs."""

    code = grpc.StatusCode.CANCELLED


class ClientClosed(HopfieldError):
    """A call after `close`, or after the client's `with` block."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class WrongEventLoop(HopfieldError, RuntimeError):
    """An AsyncHopfieldClient was made where no event loop runs, or used in another loop than the one it was made in."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class DataLoss(HopfieldError):
    """What is stored of the memory cannot be read, or an answer broke off."""

    code = grpc.StatusCode.DATA_LOSS


class Unimplemented(HopfieldError):
    """The server does not know this call: it is older than the client, or another kind of server."""

    code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(HopfieldError):
    """A defect of the server; its log says more."""

    code = grpc.StatusCode.INTERNAL
