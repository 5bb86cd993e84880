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
├── DataLoss                                 DATA_LOSS, or an answer that breaks off
├── Unimplemented                            UNIMPLEMENTED
└── InternalError                            INTERNAL, UNKNOWN and every other code
"""

from collections.abc import Mapping
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

# Where gRPC carries a google.rpc.Status.
_DETAILS_KEY = "grpc-status-details-bin"


class HopfieldError(Exception):
    """Base of everything the client raises; `str(error)` is a sentence for people."""

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN
    """The gRPC status code, also of errors that the client raises without asking the server."""

    reason: str | None
    """What happened, for programs: a value of hopfield.v1.ErrorReason without its prefix, such as "LABEL_EXISTS". None where
    the error does not come from the service itself (the client refused, or gRPC failed)."""

    metadata: dict[str, str]
    """What the reason is about, such as the name of the memory and the label."""

    field: str | None
    """The argument (refused by the client) or the field of the request (refused by the server) that is wrong."""

    retry_after: float | None
    """Seconds after which the server asks to try again."""

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
    """No answer came within the client's timeout. A change that was asked for may or may not have been made."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Cancelled(HopfieldError):
    """The call was given up, as when the client is closed while it runs."""

    code = grpc.StatusCode.CANCELLED


class DataLoss(HopfieldError):
    """What is stored of the memory cannot be read, or an answer broke off."""

    code = grpc.StatusCode.DATA_LOSS


class Unimplemented(HopfieldError):
    """The server does not know this call: it is older than the client, or another kind of server."""

    code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(HopfieldError):
    """A defect of the server; its log says more."""

    code = grpc.StatusCode.INTERNAL


_BY_CODE: dict[grpc.StatusCode, type[HopfieldError]] = {
    error.code: error
    for error in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        Conflict,
        FailedPrecondition,
        Unauthenticated,
        PermissionDenied,
        ResourceExhausted,
        Unavailable,
        DeadlineExceeded,
        Cancelled,
        DataLoss,
        Unimplemented,
        InternalError,
    )
}


def from_rpc_error(error: grpc.RpcError, *, address: str, timeout: float) -> HopfieldError:
    """The error of this package that says what gRPC's error says, whichever kind of stub raised it.

    Args:
        error: as raised by a call of a grpc or grpc.aio stub.
        address: where the client is connected to.
        timeout: deadline of the call, in seconds.
    """
    # What stubs raise is a call as well, though the type does not say so.
    call = cast("grpc.Call", error)
    code: grpc.StatusCode = call.code()
    text = str(call.details() or "")

    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in _status(call).details:
        for kind in (info, request, retry):
            if detail.Is(kind.DESCRIPTOR):
                detail.Unpack(kind)
    field = request.field_violations[0].field if request.field_violations else None
    delay = retry.retry_delay
    retry_after = delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None

    error_class = _BY_CODE.get(code, InternalError)
    if error_class is ResourceExhausted and retry_after is not None:
        error_class = Overloaded

    if not info.reason:  # the service said nothing: the text is gRPC's own, so say what it means here
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
            text = f"the message is larger than {address} takes: send fewer patterns per call ({text})"
        elif code is grpc.StatusCode.UNAVAILABLE:
            text = f"no server answers at {address} ({text})"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"no answer from {address} within {timeout:g} s, the client's timeout"

    return error_class(
        text or code.name,
        code=code,
        reason=info.reason or None,
        metadata=info.metadata,
        field=field,
        retry_after=retry_after,
    )


def _status(call: grpc.Call) -> status_pb2.Status:
    """The google.rpc.Status that came with the error; an empty one where none did."""
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:  # a proxy may have mangled it: the code and the text still stand
                break
    return status_pb2.Status()
