"""gRPC's errors as those of this package, in terms of the arguments that the caller passed."""

from collections.abc import Mapping
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from hopfield_client._errors import (
    AlreadyExists,
    Cancelled,
    Conflict,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    HopfieldError,
    InternalError,
    InvalidArgument,
    NotFound,
    Overloaded,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)

# Where gRPC carries a google.rpc.Status.
_DETAILS_KEY = "grpc-status-details-bin"

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

# Messages within a request whose fields are arguments of their own.
_GROUPS = ("spec.pairwise.", "spec.dense.", "spec.modern.", "spec.ring.", "spec.sheet.", "header.", "options.")
# Fields that bear another name than their argument.
_ARGUMENTS = {
    "allow_existing": "exist_ok",
    "allow_missing": "missing_ok",
    "annealing": "beta",
    "explicit_order": "order",
    "rows": "weights",
    "temperature": "beta",
    "heading": "start",
    "phase": "start",
    "angular_velocities[0]": "degrees_per_second",
    "velocities_x[0]": "velocity",
    "durations[0]": "seconds",
    "durations": "seconds",
}


def from_rpc_error(
    error: grpc.RpcError,
    *,
    address: str,
    timeout: float,
    if_made: str = "",
    if_other_coding: str = "",
    arguments: Mapping[str, str] | None = None,
    hint: str = "",
) -> HopfieldError:
    """The error of this package that says what gRPC's error says, whichever kind of stub raised it.

    Args:
        error: as raised by a call of a grpc or grpc.aio stub.
        address: where the client is connected to.
        timeout: deadline of the call, in seconds.
        if_made: of a call that changes something, what repeating it does if the change was made; "" for other calls.
        if_other_coding: of a call with patterns, what is wrong if the memory has another coding of two values than they; "" for other calls.
        arguments: what the caller passed as some fields of the request, where that bears another name in this call than in most.
        hint: what lies on the way to the address, for errors of the way.
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
    delay = retry.retry_delay
    retry_after = delay.seconds + delay.nanos / 1e9 if retry.HasField("retry_delay") else None

    error_class = _BY_CODE.get(code, InternalError)
    if error_class is ResourceExhausted and retry_after is not None:
        error_class = Overloaded

    field = None
    if request.field_violations:
        path = request.field_violations[0].field
        field, part = _argument(path, arguments or {})
        if info.metadata.get("coding") == "REAL":
            text = (
                f"{field} looks two-valued, and the memory holds real numbers: tell the handle, "
                "client.memory(name, coding='real')"
            )
        elif part == "coding" and if_other_coding:
            text = if_other_coding
        elif text.startswith(f"{path}: "):
            rule = text.removeprefix(f"{path}: ")
            text = f"{field}: {part} {rule}" if part else f"{field}: {rule}"

    if info.reason == "MEMORY_EXISTS" and "differs" not in info.metadata:
        name = info.metadata.get("name", "")
        text += f": exist_ok=True accepts it where its parameters are the same, and client.memory({name!r}) opens it"

    if not info.reason:  # the service said nothing: the text is gRPC's own, so say what it means here
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
            text = f"the message is larger than {address} takes: send less per call, such as fewer patterns or temperatures ({text})"
        elif code is grpc.StatusCode.UNAVAILABLE:
            text = f"no server answers at {address}{hint}: is hopfield-server running there? ({text})"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"no answer from {address}{hint} within {timeout:g} s: raise timeout= if the call needs longer"
            if if_made:
                text += f". The change may or may not have been made; if it was, repeating the call {if_made}"

    return error_class(
        text or code.name,
        code=code,
        reason=info.reason or None,
        metadata=info.metadata,
        field=field,
        retry_after=retry_after,
    )


def _argument(path: str, arguments: Mapping[str, str]) -> tuple[str, str]:
    """The argument that a field of a request came from; and what of it the rule is about, if it is of an array's."""
    for group in _GROUPS:
        path = path.removeprefix(group)
    name, _, part = path.partition(".")
    argument = arguments.get(name) or _ARGUMENTS.get(name, name)
    if name == "neurons" != argument:
        part = name
    # How patterns are encoded is the client's business; how many, how large and in which values they are the caller's.
    return argument, part if part in {"coding", "count", "family", "neurons"} else ""


def _status(call: grpc.Call) -> status_pb2.Status:
    """The google.rpc.Status that came with the error; an empty one where none did."""
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:  # a proxy may have mangled it: the code and the text still stand
                break
    return status_pb2.Status()
