"""Errors as callers see them: google.rpc.Status with details (AIP-193)."""

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from hopfield_service.errors import ServiceError

DOMAIN = "hopfield"
DETAILS_KEY = "grpc-status-details-bin"


class InternalError(ServiceError):
    """A defect of the server. What it was is in the log; the caller learns only that there was one."""

    code = "INTERNAL"
    reason = "INTERNAL"

    def __init__(self) -> None:
        super().__init__("a defect of the server; its log says more")


def status_code(error: ServiceError) -> grpc.StatusCode:
    """The gRPC status code of an error."""
    return grpc.StatusCode[error.code]


def rich_status(error: ServiceError) -> status_pb2.Status:
    """An error with an ErrorInfo, and a BadRequest, ResourceInfo or RetryInfo where they apply."""
    status = status_pb2.Status(code=status_code(error).value[0], message=error.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if error.field is not None:
        bad_request = error_details_pb2.BadRequest()
        bad_request.field_violations.add(field=error.field, description=error.rule or error.message)
        status.details.add().Pack(bad_request)
    if error.resource is not None:
        resource_type, name = error.resource
        resource = error_details_pb2.ResourceInfo(
            resource_type=resource_type, resource_name=name, description=error.message
        )
        status.details.add().Pack(resource)
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status
