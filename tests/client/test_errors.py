"""One tree of errors, whatever raised them: the service, gRPC itself, a synchronous or an asynchronous stub."""

import inspect
import pickle
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata

import hopfield_client
from hopfield_client import (
    Conflict,
    DeadlineExceeded,
    HopfieldError,
    InternalError,
    InvalidArgument,
    NotFound,
    Overloaded,
    ResourceExhausted,
    Unavailable,
    _errors,
    _rpc_errors,
)

CLASSES = [value for value in vars(_errors).values() if inspect.isclass(value) and issubclass(value, HopfieldError)]


def received(
    code: grpc.StatusCode, text: str = "", details: Iterable[Message] = (), *, raw: bytes = b"", **said: Any
) -> HopfieldError:
    """What becomes of an error as gRPC raises it."""
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        status.details.add().Pack(detail)
    trailing = Metadata(("grpc-status-details-bin", raw or status.SerializeToString()))
    error = AioRpcError(code, Metadata(), trailing, text, "")
    return _rpc_errors.from_rpc_error(error, address="memories:50051", timeout=10.0, **said)


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = [line.split("─ ")[-1].split()[0] for line in (_errors.__doc__ or "").splitlines() if "──" in line]
    assert sorted(drawn) == sorted(error.__name__ for error in CLASSES if error is not HopfieldError)


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_exported_has_a_code_and_survives_pickling(error: type[HopfieldError]) -> None:
    assert getattr(hopfield_client, error.__name__) is error
    raised = error("what happened", reason="WHY", metadata={"name": "digits"}, field="neurons", retry_after=1.5)
    again = pickle.loads(pickle.dumps(raised))
    for made in (raised, again):
        assert str(made) == "what happened"
        assert isinstance(made.code, grpc.StatusCode)
        assert (made.reason, made.metadata, made.field, made.retry_after) == ("WHY", {"name": "digits"}, "neurons", 1.5)


def test_errors_are_what_python_programmers_catch() -> None:
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(NotFound, LookupError)
    assert issubclass(DeadlineExceeded, TimeoutError)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_becomes_an_error_of_its_class_and_keeps_its_code(code: grpc.StatusCode) -> None:
    error = received(code, "text", [error_details_pb2.ErrorInfo(reason="X")])
    assert error.code is code
    assert str(error) == "text"
    assert type(error).code is code or type(error) is InternalError


def test_reason_and_metadata_come_from_the_service() -> None:
    info = error_details_pb2.ErrorInfo(
        domain="hopfield", reason="REVISION_MISMATCH", metadata={"name": "digits", "revision": "7"}
    )
    error = received(grpc.StatusCode.ABORTED, "the memory is at revision 7", [info])
    assert isinstance(error, Conflict)
    assert (error.reason, error.metadata) == ("REVISION_MISMATCH", {"name": "digits", "revision": "7"})
    assert (error.field, error.retry_after) == (None, None)


@pytest.mark.parametrize(
    ("path", "argument", "named"),
    [
        ("name", "name", "name"),
        ("header.name", "name", "name"),
        ("labels[3]", "labels[3]", "labels[3]"),
        ("options.order", "order", "order"),
        ("options.explicit_order", "order", "order"),
        ("options.max_iterations", "max_iterations", "max_iterations"),
        ("options.update", "update", "update"),
        ("spec.pairwise.rule", "rule", "rule"),
        ("spec.pairwise.neurons", "neurons", "neurons"),
        ("spec.pairwise.thresholds", "thresholds", "thresholds"),
        ("header.thresholds", "thresholds", "thresholds"),
        ("header.neurons", "neurons", "neurons"),
        ("spec.pairwise.kappa", "kappa", "kappa"),
        ("spec.pairwise.coding", "coding", "coding"),
        ("header.coding", "coding", "coding"),
        ("options.beta", "beta", "beta"),
        ("options.annealing.beta[3]", "beta", "beta"),
        ("options.temperature", "beta", "beta"),
        ("patterns.signs", "patterns", "patterns"),
        ("patterns", "patterns", "patterns"),
        ("query.neurons", "query", "query: neurons"),
        ("queries.count", "queries", "queries: count"),
        ("queries.bits", "queries", "queries"),
        ("query.known", "query", "query"),
        ("query.coding", "query", "query: coding"),
        ("rows", "weights", "weights"),
        ("weights", "weights", "weights"),
        ("allow_existing", "exist_ok", "exist_ok"),
        ("allow_missing", "missing_ok", "missing_ok"),
    ],
)
def test_a_field_that_breaks_a_rule_is_named_as_the_argument_it_came_from(path: str, argument: str, named: str) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field=path, description="must be 1 to 9, is 10")
    details = [
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD"),
        error_details_pb2.BadRequest(field_violations=[violation]),
    ]
    error = received(grpc.StatusCode.INVALID_ARGUMENT, f"{path}: must be 1 to 9, is 10", details)
    assert error.field == argument
    assert str(error) == (f"{named}: must be 1 to 9, is 10" if ": " not in named else f"{named} must be 1 to 9, is 10")
    assert str(received(grpc.StatusCode.INVALID_ARGUMENT, "too many", details)) == "too many"


@pytest.mark.parametrize("path", ["query.coding", "queries.coding", "patterns.coding"])
def test_values_of_the_other_coding_are_told_what_to_pass_instead(path: str) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field=path)
    details = [
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD"),
        error_details_pb2.BadRequest(field_violations=[violation]),
    ]
    error = received(
        grpc.StatusCode.INVALID_ARGUMENT, f"{path}: must be ...", details, if_other_coding="pass booleans instead"
    )
    assert (str(error), error.field, error.reason) == ("pass booleans instead", path.partition(".")[0], "INVALID_FIELD")


def test_an_argument_may_have_a_name_of_its_own_in_a_call() -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="queries.neurons")
    details = [
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD"),
        error_details_pb2.BadRequest(field_violations=[violation]),
    ]
    text = "queries.neurons: must be 50, as memory 'm' has; is 4"
    error = received(grpc.StatusCode.INVALID_ARGUMENT, text, details, arguments={"queries": "query"})
    assert (str(error), error.field) == ("query: neurons must be 50, as memory 'm' has; is 4", "query")


def test_a_limit_with_a_time_to_try_again_is_overload_and_without_it_is_not() -> None:
    info = error_details_pb2.ErrorInfo(reason="PATTERN_LIMIT")
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    overloaded = received(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", [info, retry])
    assert isinstance(overloaded, Overloaded)
    assert overloaded.retry_after == 1.5
    assert type(received(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", [info])) is ResourceExhausted


def test_storage_away_says_when_to_try_again() -> None:
    details = [
        error_details_pb2.ErrorInfo(reason="STORAGE_UNAVAILABLE"),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2)),
    ]
    error = received(grpc.StatusCode.UNAVAILABLE, "the storage does not answer", details)
    assert isinstance(error, Unavailable)
    assert (str(error), error.retry_after) == ("the storage does not answer", 2.0)


def test_what_grpc_says_itself_is_said_in_terms_of_the_call() -> None:
    large = received(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (5 vs. 4)")
    assert str(large).startswith("the message is larger than memories:50051 takes: send less per call")
    away = received(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses")
    assert (
        str(away)
        == "no server answers at memories:50051: is hopfield-server running there? (failed to connect to all addresses)"
    )
    late = received(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    assert str(late) == "no answer from memories:50051 within 10 s: raise timeout= if the call needs longer"
    change = received(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", if_made="raises AlreadyExists")
    assert str(change) == (
        "no answer from memories:50051 within 10 s: raise timeout= if the call needs longer. The change may or may not have "
        "been made; if it was, repeating the call raises AlreadyExists"
    )


def test_details_that_cannot_be_read_leave_code_and_text() -> None:
    error = received(grpc.StatusCode.NOT_FOUND, "no such memory", raw=b"\xff\xff")
    assert isinstance(error, NotFound)
    assert (str(error), error.reason, error.metadata) == ("no such memory", None, {})


def test_an_error_without_text_is_named_after_its_code() -> None:
    assert str(received(grpc.StatusCode.DATA_LOSS)) == "DATA_LOSS"
