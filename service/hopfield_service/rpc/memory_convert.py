"""Messages to values, and values to messages, of MemoryService. Everything that a message alone can be wrong in is found here."""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from hopfield.v1 import diagnosis_pb2, memory_pb2, memory_service_pb2, patterns_pb2
from hopfield_service.core.diagnostics import Diagnosis, WeightStatistics
from hopfield_service.core.families import FAMILIES, spec_from_parameters
from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.learning import LearningOutcome, Normalization
from hopfield_service.core.network import InvalidParameter, Spec
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import Coding
from hopfield_service.errors import InvalidField, shown
from hopfield_service.rpc.convert import CODINGS, chosen, coding_out, numbers_in, packed_parts
from hopfield_service.rpc.serializing import raw, strings
from hopfield_service.serving.conversion import PIECE
from hopfield_service.serving.memories import PatternPage
from hopfield_service.store.layout import Head
from hopfield_service.store.notes import Request

LEARNING_RULES = {
    memory_pb2.LEARNING_RULE_HEBBIAN: Rule.HEBBIAN,
    memory_pb2.LEARNING_RULE_STORKEY: Rule.STORKEY,
    memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER: Rule.STORKEY_SECOND_ORDER,
    memory_pb2.LEARNING_RULE_PSEUDO_INVERSE: Rule.PSEUDO_INVERSE,
    memory_pb2.LEARNING_RULE_PERCEPTRON: Rule.PERCEPTRON,
}
_NORMALIZATIONS = {
    memory_pb2.NORMALIZATION_NEURONS: Normalization.NEURONS,
    memory_pb2.NORMALIZATION_PATTERNS: Normalization.PATTERNS,
    memory_pb2.NORMALIZATION_NONE: Normalization.NONE,
}
_NORMALIZATION_NUMBERS = {normalization: number for number, normalization in _NORMALIZATIONS.items()}
_RULE_NUMBERS = {rule: number for number, rule in LEARNING_RULES.items()} | {
    Rule.IMPORTED: memory_pb2.LEARNING_RULE_IMPORTED
}
_REQUEST_ID_LENGTH = 128
# Bytes. They take some 20 ms, without the GIL.
_DIGESTED_AT_ONCE = 1 << 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Changing(Protocol):
    """A request that changes something."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802 - protobuf's name
        """The message as bytes."""


def request_in(message: Changing, interruption: Interruption = never) -> Request:
    """What makes a repeat of a request recognisable. Clears the id of the message. See `streamed_request_in`."""
    return streamed_request_in(message, b"", "request_id", interruption)


def streamed_request_in(message: Changing, more: bytes | memoryview, field: str, interruption: Interruption) -> Request:
    """What makes a repeat of a request recognisable: its id, made here if it has none, and a digest of its content.

    Clears the id of the message, which is no part of the content.

    Args:
        message: the request, or the first part of it.
        more: the rest of its content.
        field: where the id stands.
        interruption: asked between two pieces.

    Raises:
        InvalidField: the id is none.
        Interrupted: `interruption` said so.
    """
    request_id = message.request_id
    if len(request_id) > _REQUEST_ID_LENGTH or not (request_id.isascii() and request_id.isprintable()):
        raise InvalidField(field, f"must be at most {_REQUEST_ID_LENGTH} printable ASCII characters")
    message.request_id = ""
    digest = hashlib.blake2b(type(message).__name__.encode(), digest_size=16)
    digest.update(message.SerializeToString(deterministic=True))
    for start in range(0, len(more), _DIGESTED_AT_ONCE):
        check(interruption)
        digest.update(more[start : start + _DIGESTED_AT_ONCE])
    return Request(request_id or secrets.token_hex(16), digest.hexdigest())


def labels_in(labels: Sequence[str], interruption: Interruption) -> tuple[str, ...]:
    """The labels of a request.

    Raises:
        Interrupted: `interruption` said so.
    """
    # Protobuf makes an object of each entry. In pieces, between which the GIL goes to whoever waits for it.
    found: list[str] = []
    for start in range(0, len(labels), PIECE):
        check(interruption)
        found += labels[start : start + PIECE]
    return tuple(found)


def spec_in(message: memory_pb2.MemorySpec) -> Spec:
    """The parameters of a new memory."""
    family, parameters_in = _family_in(message)
    own = getattr(message, family)
    try:
        return spec_from_parameters(family, {name: parameter_in(own) for name, parameter_in in parameters_in.items()})
    except InvalidParameter as error:
        raise InvalidField(f"spec.{family}.{error.parameter}", error.rule) from error


def _family_in(message: memory_pb2.MemorySpec) -> tuple[str, "_ParametersIn"]:
    """The family of a spec, and how its parameters are read."""
    family = message.WhichOneof("family")
    if family is None:
        raise InvalidField("spec.family", f"must be set: {' or '.join(_PARAMETERS_IN)}")
    return family, _PARAMETERS_IN[family]


def _rule_in(message: memory_pb2.PairwiseSpec) -> str:
    field = "spec.pairwise.rule"
    if message.rule == memory_pb2.LEARNING_RULE_IMPORTED:
        raise InvalidField(field, "must be one that learns; ImportWeights makes a memory of given weights")
    return chosen(message.rule, LEARNING_RULES, Rule.HEBBIAN, memory_pb2.LearningRule, field).value


def _normalization_in(message: memory_pb2.PairwiseSpec) -> str:
    return chosen(
        message.normalization,
        _NORMALIZATIONS,
        Normalization.NEURONS,
        memory_pb2.Normalization,
        "spec.pairwise.normalization",
    ).value


def _coding_in(coding: patterns_pb2.Coding, field: str) -> Coding:
    return chosen(coding, CODINGS, Coding.BIPOLAR, patterns_pb2.Coding, field)


def _by_name(spec: Any) -> "_ParametersIn":
    """Of a message whose fields have the names of the spec's parameters, and where they can be left out their defaults."""

    def parameter_in(name: str, default: Any) -> Callable[[Any], Any]:
        def read(message: Any) -> Any:
            may_be_missing = message.DESCRIPTOR.fields_by_name[name].has_presence
            return default if may_be_missing and not message.HasField(name) else getattr(message, name)

        return read

    return {field.name: parameter_in(field.name, field.default) for field in fields(spec) if field.init}


_ParametersIn = Mapping[str, Callable[[Any], Any]]
"""What each field of a family's message says of the parameter of its name, its default filled in."""

_PAIRWISE_PARAMETERS: dict[str, Callable[[memory_pb2.PairwiseSpec], Any]] = {
    "neurons": lambda message: message.neurons,
    "rule": _rule_in,
    "thresholds": lambda message: _thresholds(message.thresholds, "spec.pairwise.thresholds"),
    "normalization": _normalization_in,
    "self_coupling": lambda message: message.self_coupling,
    "coding": lambda message: _coding_in(message.coding, "spec.pairwise.coding").name.lower(),
    "kappa": lambda message: message.kappa if message.HasField("kappa") else 1.0,
    "max_sweeps": lambda message: message.max_sweeps if message.HasField("max_sweeps") else 1000,
}
_PARAMETERS_IN: dict[str, _ParametersIn] = {
    family: _PAIRWISE_PARAMETERS if spec is PairwiseSpec else _by_name(spec) for family, spec in FAMILIES.items()
}


def changes_in(message: memory_service_pb2.UpdateMemoryRequest) -> tuple[str, dict[str, Any]]:
    """What an update is to change.

    Returns:
        The family, and the new values of some of its parameters.
    """
    family, parameters_in = _family_in(message.spec)
    own = getattr(message.spec, family)
    paths = message.update_mask.paths or [f"{family}.{field.name}" for field, _ in own.ListFields()]
    changes: dict[str, Any] = {}
    for path in paths:
        prefix, _, name = path.partition(".")
        if prefix != family or name not in parameters_in:
            known = ", ".join(f"{family}.{name}" for name in parameters_in)
            raise InvalidField("update_mask", f"must name fields of spec, such as {known}; {shown(path)} is none")
        changes[name] = parameters_in[name](own)
    if not changes:
        raise InvalidField("update_mask", "must name what to change, or spec must set it")
    return family, changes


def imported_spec_in(header: memory_service_pb2.ImportWeightsHeader) -> Spec:
    """The parameters of a memory of given weights."""
    thresholds = _thresholds(header.thresholds, "header.thresholds")
    coding = _coding_in(header.coding, "header.coding")
    try:
        return PairwiseSpec(header.neurons, Rule.IMPORTED, thresholds, coding=coding)
    except InvalidParameter as error:
        raise InvalidField(f"header.{error.parameter}", error.rule) from error


def _thresholds(values: Sequence[float], field: str) -> tuple[float, ...]:
    thresholds = numbers_in(values, np.float64)
    finite = np.isfinite(thresholds)
    if not finite.all():
        i = int(np.argmin(finite))
        raise InvalidField(field, f"must be finite; threshold {i} is {thresholds[i]}")
    if np.abs(thresholds).sum() > np.finfo(np.float64).max / 4:
        raise InvalidField(field, "must be small enough for an energy to be finite")
    # None at all and all zero are the same thresholds, and one spec.
    return tuple(thresholds.tolist()) if thresholds.any() else ()


def page_size_in(page_size: int) -> int:
    """How many at most on a page (AIP-158: 0 is the default, too many are as many as possible)."""
    if page_size < 0:
        raise InvalidField("page_size", f"must not be negative, is {page_size}")
    return min(page_size or 100, 1000)


def memory_out(head: Head) -> memory_pb2.Memory:
    """A memory as it is described to callers."""
    return memory_pb2.Memory(
        name=head.name,
        uid=head.uid,
        spec=_spec_out(head.spec),
        neurons=head.spec.neurons,
        pattern_count=head.pattern_count,
        load=head.pattern_count / head.spec.neurons,
        revision=head.revision,
        create_time=_timestamp(head.created),
        update_time=_timestamp(head.updated),
        learning=_outcome_out(head.outcome),
        capacity=head.capacity,
    )


def stored_out(head: Head, labels: Sequence[str], interruption: Interruption) -> bytes:
    """What was stored under which labels, a StorePatternsResponse on the wire.

    Raises:
        Interrupted: `interruption` said so.
    """
    response = memory_service_pb2.StorePatternsResponse
    described = response(memory=memory_out(head), warnings=warnings_out(head)).SerializeToString()
    stored = strings(response.LABELS_FIELD_NUMBER, labels, np.arange(len(labels)), interruption)
    return b"".join([described, *stored])


def page_out(page: PatternPage, next_page_token: str, interruption: Interruption) -> bytes:
    """Some stored patterns, a ListPatternsResponse on the wire.

    Raises:
        Interrupted: `interruption` said so.
    """
    check(interruption)
    response = memory_service_pb2.ListPatternsResponse
    described = response(
        labels=page.labels, next_page_token=next_page_token, uid=page.head.uid, revision=page.head.revision
    ).SerializeToString()
    return b"".join([described, *packed_parts(response.PATTERNS_FIELD_NUMBER, page.bits, page.head.spec)])


def rows_out(rows: NDArray[np.float64]) -> bytes:
    """Some rows of weights, a GetWeightsResponse on the wire."""
    return b"".join(raw(memory_service_pb2.GetWeightsResponse.ROWS_FIELD_NUMBER, rows))


def _outcome_out(outcome: LearningOutcome | None) -> memory_pb2.LearningOutcome | None:
    return None if outcome is None else memory_pb2.LearningOutcome(converged=outcome.converged, sweeps=outcome.sweeps)


def warnings_out(head: Head) -> list[memory_pb2.Warning]:
    """What whoever changed a memory so that it stands there should know."""
    found = []
    advice = head.spec.advice(head.pattern_count, head.capacity)
    if advice is not None:
        found.append(
            memory_pb2.Warning(reason=memory_pb2.WARNING_REASON_CAPACITY, message=f"memory {head.name!r}: {advice}")
        )
    if head.outcome is not None and not head.outcome.converged:
        message = (
            f"learning gave up after {head.outcome.sweeps} sweeps, its goal not met; DiagnoseMemory says what is stable"
        )
        found.append(memory_pb2.Warning(reason=memory_pb2.WARNING_REASON_NOT_CONVERGED, message=message))
    return found


def _spec_out(spec: Spec) -> memory_pb2.MemorySpec:
    match spec:
        case PairwiseSpec():
            hebbian, perceptron = spec.rule is Rule.HEBBIAN, spec.rule is Rule.PERCEPTRON
            pairwise = memory_pb2.PairwiseSpec(
                neurons=spec.neurons,
                rule=_RULE_NUMBERS[spec.rule],
                thresholds=spec.thresholds,
                normalization=_NORMALIZATION_NUMBERS[spec.normalization] if hebbian else None,
                self_coupling=spec.self_coupling,
                coding=coding_out(spec.coding),
                kappa=spec.kappa if perceptron else None,
                max_sweeps=spec.max_sweeps if perceptron else None,
            )
            return memory_pb2.MemorySpec(pairwise=pairwise)
        case _:
            # Fields have the names of the parameters.
            return memory_pb2.MemorySpec(**{spec.family: spec.parameters()})


def _timestamp(microseconds: int) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(_EPOCH + timedelta(microseconds=microseconds))
    return timestamp


def diagnosis_out(diagnosis: Diagnosis) -> diagnosis_pb2.Diagnosis:
    """How well a memory holds what is stored in it."""
    stability, similarity = diagnosis.stability, diagnosis.similarity
    return diagnosis_pb2.Diagnosis(
        pattern_count=diagnosis.pattern_count,
        load=diagnosis.load,
        capacity=diagnosis.capacity,
        stable_count=0 if stability is None else stability.stable_count,
        smallest_margin=None if stability is None else stability.smallest_margin,
        mean_margin=None if stability is None else stability.mean_margin,
        crosstalk=None if similarity is None else similarity.crosstalk,
        mean_overlap=None if similarity is None else similarity.mean_overlap,
        weights=_weights_out(diagnosis.weights),
        learning=_outcome_out(diagnosis.outcome),
        verdict=diagnosis.verdict,
    )


def _weights_out(weights: WeightStatistics | None) -> diagnosis_pb2.WeightStatistics | None:
    return None if weights is None else diagnosis_pb2.WeightStatistics(**asdict(weights))
