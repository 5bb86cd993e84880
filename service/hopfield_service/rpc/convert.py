"""Messages to values, and values to messages. Everything that a message alone can be wrong in is found here."""

import hashlib
import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from hopfield.v1 import diagnosis_pb2, memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2
from hopfield_service.core.diagnostics import Diagnosis, WeightStatistics
from hopfield_service.core.dynamics import Match, Order, RecallOptions, StopReason, TieRule, UpdateRule
from hopfield_service.core.families import FAMILIES, spec_from_parameters
from hopfield_service.core.learning import LearningOutcome, Normalization
from hopfield_service.core.network import InvalidParameter, Spec
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import Bits, Coding, Signs, pack, padding_is_clear, row_bytes, unpacked_blocks
from hopfield_service.errors import InvalidField, shown
from hopfield_service.serving.checks import Block
from hopfield_service.serving.loader import Token
from hopfield_service.serving.memories import NearestPatterns, Recalled, TracePiece
from hopfield_service.store.layout import Head
from hopfield_service.store.notes import Request

LEARNING_RULES = {
    memory_pb2.LEARNING_RULE_HEBBIAN: Rule.HEBBIAN,
    memory_pb2.LEARNING_RULE_STORKEY: Rule.STORKEY,
    memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER: Rule.STORKEY_SECOND_ORDER,
    memory_pb2.LEARNING_RULE_PSEUDO_INVERSE: Rule.PSEUDO_INVERSE,
    memory_pb2.LEARNING_RULE_PERCEPTRON: Rule.PERCEPTRON,
}
UPDATE_RULES = {
    recall_service_pb2.UPDATE_RULE_ASYNCHRONOUS: UpdateRule.ASYNCHRONOUS,
    recall_service_pb2.UPDATE_RULE_SYNCHRONOUS: UpdateRule.SYNCHRONOUS,
    recall_service_pb2.UPDATE_RULE_GLAUBER: UpdateRule.GLAUBER,
}
_NORMALIZATIONS = {
    memory_pb2.NORMALIZATION_NEURONS: Normalization.NEURONS,
    memory_pb2.NORMALIZATION_PATTERNS: Normalization.PATTERNS,
    memory_pb2.NORMALIZATION_NONE: Normalization.NONE,
}
_NORMALIZATION_NUMBERS = {normalization: number for number, normalization in _NORMALIZATIONS.items()}
_CODINGS = {patterns_pb2.CODING_BIPOLAR: Coding.BIPOLAR, patterns_pb2.CODING_BINARY: Coding.BINARY}
_ALL_CODINGS = _CODINGS | {patterns_pb2.CODING_REAL: Coding.REAL}
_CODING_NUMBERS = {coding: number for number, coding in _ALL_CODINGS.items()}
_RULE_NUMBERS = {rule: number for number, rule in LEARNING_RULES.items()} | {
    Rule.IMPORTED: memory_pb2.LEARNING_RULE_IMPORTED
}
# The order is what the message spells out.
_EXPLICIT = None
_ORDERS = {
    recall_service_pb2.UPDATE_ORDER_RANDOM: Order.RANDOM,
    recall_service_pb2.UPDATE_ORDER_SEQUENTIAL: Order.SEQUENTIAL,
    recall_service_pb2.UPDATE_ORDER_EXPLICIT: _EXPLICIT,
}
_TIE_RULES = {
    recall_service_pb2.TIE_RULE_KEEP: TieRule.KEEP,
    recall_service_pb2.TIE_RULE_PLUS: TieRule.PLUS,
    recall_service_pb2.TIE_RULE_MINUS: TieRule.MINUS,
}
_STOP_REASONS = {
    StopReason.CONVERGED: recall_service_pb2.STOP_REASON_CONVERGED,
    StopReason.CYCLE: recall_service_pb2.STOP_REASON_CYCLE,
    StopReason.ITERATION_LIMIT: recall_service_pb2.STOP_REASON_ITERATION_LIMIT,
}
_MATCHES = {
    Match.PATTERN: recall_service_pb2.MATCH_PATTERN,
    Match.INVERSE: recall_service_pb2.MATCH_INVERSE,
    Match.SPURIOUS: recall_service_pb2.MATCH_SPURIOUS,
    Match.NONE: recall_service_pb2.MATCH_NONE,
}

_DEFAULT_MAX_ITERATIONS = 100
# Of seeds that the caller does not give. They are no secrets, and this is faster than asking the system for each.
_seeds = random.Random()  # noqa: S311
_DEFAULT_K = 1
_REQUEST_ID_LENGTH = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = TypeVar("Value")


class Changing(Protocol):
    """A request that changes something."""

    request_id: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:  # noqa: N802 - protobuf's name
        """The message as bytes."""


# Into the service


def request_in(message: Changing, *more: bytes | memoryview, field: str = "request_id") -> Request:
    """What makes a repeat of a request recognisable: its id, made here if it has none, and a digest of its content.

    Clears the id of the message, which is no part of the content.

    Args:
        message: the request, or the first part of it.
        more: the rest of its content.
        field: where the id stands.
    """
    request_id = message.request_id
    if len(request_id) > _REQUEST_ID_LENGTH or not (request_id.isascii() and request_id.isprintable()):
        raise InvalidField(field, f"must be at most {_REQUEST_ID_LENGTH} printable ASCII characters")
    message.request_id = ""
    digest = hashlib.blake2b(type(message).__name__.encode(), digest_size=16)
    digest.update(message.SerializeToString(deterministic=True))
    for part in more:
        digest.update(part)
    return Request(request_id or secrets.token_hex(16), digest.hexdigest())


def block_in(message: patterns_pb2.Patterns, field: str) -> Block:
    """The patterns of a message, which stands in `field`."""
    count, neurons = message.count, message.neurons
    encoding = message.WhichOneof("encoding")
    if count and not neurons:
        raise InvalidField(f"{field}.neurons", "must be at least 1")
    if encoding is None:
        if count:
            raise InvalidField(field, "must have its values in bits, in signs or in floats")
        return Block(neurons, np.empty((0, neurons), np.int8), None, None, field)
    payload: bytes = getattr(message, encoding)
    coding = None
    if message.coding:
        coding = _chosen(message.coding, _ALL_CODINGS, Coding.BIPOLAR, patterns_pb2.Coding, f"{field}.coding")
    width = {"bits": row_bytes(neurons), "signs": neurons, "floats": 4 * neurons}[encoding]
    if len(payload) != count * width:
        raise InvalidField(
            f"{field}.{encoding}",
            f"must be {count * width} bytes for {count} x {neurons} neurons, is {len(payload)}",
        )
    if encoding == "bits":
        bits = _bits(payload, count, neurons, f"{field}.bits")
        known = _known(message.known, bits, neurons, f"{field}.known") if message.known else None
        return Block(neurons, bits, known, coding, field)
    if message.known:
        raise InvalidField(f"{field}.known", "must be empty but with bits")
    if encoding == "floats":
        return Block(neurons, _floats(payload, count, neurons, f"{field}.floats"), None, coding, field)
    signs = np.frombuffer(payload, np.int8).reshape(count, width)
    wrong = (signs > 1) | (signs < -1)
    if wrong.any():
        k, i = divmod(int(wrong.argmax()), neurons)
        raise InvalidField(f"{field}.signs", f"must be 1, -1 or 0; pattern {k} has {signs[k, i]} at neuron {i}")
    return Block(neurons, signs, None, coding, field)


def _floats(payload: bytes, count: int, neurons: int, field: str) -> NDArray[np.float32]:
    floats = np.frombuffer(payload, "<f4").reshape(count, neurons).astype(np.float32, copy=False)
    finite = np.isfinite(floats)
    if not finite.all():
        k, i = divmod(int(np.argmin(finite)), neurons)
        raise InvalidField(field, f"must be finite; pattern {k} has {floats[k, i]} at neuron {i}")
    return floats


def _bits(payload: bytes, count: int, neurons: int, field: str) -> Bits:
    bits = np.frombuffer(payload, np.uint8).reshape(count, row_bytes(neurons))
    if len(bits) and not padding_is_clear(bits, neurons):
        raise InvalidField(field, f"must have zeros behind the last of the {neurons} neurons of each pattern")
    return bits


def _known(payload: bytes, bits: Bits, neurons: int, field: str) -> Bits:
    if len(payload) != bits.size:
        raise InvalidField(field, f"must be empty or as long as bits: {len(payload)} bytes for {bits.size}")
    known = _bits(payload, len(bits), neurons, field)
    if (bits & ~known).any():
        raise InvalidField(field, "must be set where bits are: an unknown neuron has a clear bit")
    return known


def query_in(message: patterns_pb2.Patterns) -> Block:
    """The one query of a recall."""
    if message.count != 1:
        raise InvalidField("query.count", f"must be 1, is {message.count}")
    return block_in(message, "query")


def queries_in(message: patterns_pb2.Patterns) -> Block:
    """The queries of a request that takes many."""
    if message.count == 0:
        raise InvalidField("queries.count", "must be at least 1, is 0")
    return block_in(message, "queries")


def recall_in(
    message: recall_service_pb2.RecallRequest | recall_service_pb2.TraceRecallRequest,
) -> tuple[Block, RecallOptions]:
    """What one recall is asked from, and how it is to be run."""
    return query_in(message.query), options_in(message.options)


def batch_in(message: recall_service_pb2.BatchRecallRequest) -> tuple[Block, RecallOptions]:
    """What many recalls are asked from, and how they are to be run."""
    return queries_in(message.queries), options_in(message.options)


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
    return _chosen(message.rule, LEARNING_RULES, Rule.HEBBIAN, memory_pb2.LearningRule, field).value


def _normalization_in(message: memory_pb2.PairwiseSpec) -> str:
    return _chosen(
        message.normalization,
        _NORMALIZATIONS,
        Normalization.NEURONS,
        memory_pb2.Normalization,
        "spec.pairwise.normalization",
    ).value


def _coding_in(coding: patterns_pb2.Coding, field: str) -> Coding:
    return _chosen(coding, _CODINGS, Coding.BIPOLAR, patterns_pb2.Coding, field)


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
    thresholds = np.array(values, np.float64)
    finite = np.isfinite(thresholds)
    if not finite.all():
        i = int(np.argmin(finite))
        raise InvalidField(field, f"must be finite; threshold {i} is {thresholds[i]}")
    if np.abs(thresholds).sum() > np.finfo(np.float64).max / 4:
        raise InvalidField(field, "must be small enough for an energy to be finite")
    # None at all and all zero are the same thresholds, and one spec.
    return tuple(thresholds.tolist()) if thresholds.any() else ()


def options_in(message: recall_service_pb2.RecallOptions) -> RecallOptions:
    """How a recall is to be run, every default filled in and the seed drawn if it was not given."""
    if not message.ByteSize():
        return RecallOptions(_seeds.getrandbits(64), max_iterations=_DEFAULT_MAX_ITERATIONS)
    update = _chosen(
        message.update, UPDATE_RULES, UpdateRule.ASYNCHRONOUS, recall_service_pb2.UpdateRule, "options.update"
    )
    tie = _chosen(message.tie, _TIE_RULES, TieRule.KEEP, recall_service_pb2.TieRule, "options.tie")
    order = _order(message)
    if update is not UpdateRule.ASYNCHRONOUS:
        for field, given in (("order", message.order), ("explicit_order", message.explicit_order)):
            if given:
                raise InvalidField(f"options.{field}", "must not be set but with UPDATE_RULE_ASYNCHRONOUS")
    beta = _beta(message)
    if update is UpdateRule.GLAUBER and beta is None:
        raise InvalidField("options.beta", "must be set with UPDATE_RULE_GLAUBER, or annealing instead")
    if update is not UpdateRule.GLAUBER and beta is not None:
        field = message.WhichOneof("temperature")
        raise InvalidField(f"options.{field}", "must not be set but with UPDATE_RULE_GLAUBER")
    return RecallOptions(
        seed=message.seed if message.HasField("seed") else _seeds.getrandbits(64),
        update=update,
        order=order,
        max_iterations=message.max_iterations if message.HasField("max_iterations") else _DEFAULT_MAX_ITERATIONS,
        tie=tie,
        clamp=message.clamp,
        beta=beta,
    )


def _beta(message: recall_service_pb2.RecallOptions) -> float | NDArray[np.float64] | None:
    temperature = message.WhichOneof("temperature")
    if temperature is None:
        return None
    annealed = temperature == "annealing"
    beta = np.array(message.annealing.beta if annealed else [message.beta], np.float64)
    wrong = ~(np.isfinite(beta) & (beta >= 0))
    if wrong.any():
        k = int(wrong.argmax())
        field = f"options.annealing.beta[{k}]" if annealed else "options.beta"
        raise InvalidField(field, f"must be finite and at least 0, is {beta[k]}")
    return beta if annealed else float(beta[0])


def _order(message: recall_service_pb2.RecallOptions) -> Order | NDArray[np.int64]:
    explicit = bool(message.explicit_order)
    default = _EXPLICIT if explicit else Order.RANDOM
    order = _chosen(message.order, _ORDERS, default, recall_service_pb2.UpdateOrder, "options.order")
    if explicit and order is not _EXPLICIT:
        raise InvalidField("options.explicit_order", "must be empty but with UPDATE_ORDER_EXPLICIT")
    return np.array(message.explicit_order, np.int64) if order is _EXPLICIT else order


def _chosen(number: int, values: dict[Any, Value], default: Value, enumeration: EnumTypeWrapper, field: str) -> Value:
    if number == 0:
        return default
    if number not in values:
        known = ", ".join(enumeration.Name(known) for known in values)
        raise InvalidField(field, f"must be one of {known}; {number} is none of them")
    return values[number]


def token_in(message: memory_pb2.FreshnessToken) -> Token | None:
    """What the caller has seen, if it says so."""
    return Token(message.uid, message.revision) if message.uid else None


def k_in(message: recall_service_pb2.NearestRequest) -> int:
    """How many nearest patterns are asked for."""
    return message.k if message.HasField("k") else _DEFAULT_K


def page_size_in(page_size: int) -> int:
    """How many at most on a page (AIP-158: 0 is the default, too many are as many as possible)."""
    if page_size < 0:
        raise InvalidField("page_size", f"must not be negative, is {page_size}")
    return min(page_size or 100, 1000)


# Out of the service


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
        capacity=head.spec.capacity,
    )


def _outcome_out(outcome: LearningOutcome | None) -> memory_pb2.LearningOutcome | None:
    return None if outcome is None else memory_pb2.LearningOutcome(converged=outcome.converged, sweeps=outcome.sweeps)


def warnings_out(head: Head) -> list[memory_pb2.Warning]:
    """What whoever changed a memory so that it stands there should know."""
    found = []
    advice = head.spec.advice(head.pattern_count)
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


def coding_out(coding: Coding) -> patterns_pb2.Coding:
    """The values a neuron has."""
    return _CODING_NUMBERS[coding]


def packed_out(packed: Bits, spec: Spec) -> patterns_pb2.Patterns:
    """Patterns of a memory, packed as they are kept: `bits`, or `floats`."""
    message = patterns_pb2.Patterns(count=len(packed), neurons=spec.neurons, coding=coding_out(spec.coding))
    if spec.coding is Coding.REAL:
        message.floats = packed.tobytes()
    else:
        message.bits = packed.tobytes()
    return message


def reals_out(states: NDArray[Any]) -> patterns_pb2.Patterns:
    """States of real neurons, (count, N)."""
    count, neurons = states.shape
    floats = states.astype("<f4", copy=False).tobytes()
    return patterns_pb2.Patterns(count=count, neurons=neurons, floats=floats, coding=coding_out(Coding.REAL))


def _states_out(states: Bits, like: patterns_pb2.Patterns, spec: Spec) -> patterns_pb2.Patterns:
    """States in the encoding in which the queries came."""
    if like.WhichOneof("encoding") != "signs":
        return packed_out(states, spec)
    return _signs_out(unpacked_blocks(states, spec.neurons), len(states), spec)


def _signs_out(blocks: Iterable[Signs], count: int, spec: Spec) -> patterns_pb2.Patterns:
    """States as the values of the memory's coding."""
    binary = spec.coding is Coding.BINARY
    signs = b"".join((block > 0 if binary else block).tobytes() for block in blocks)
    return patterns_pb2.Patterns(count=count, neurons=spec.neurons, signs=signs, coding=coding_out(spec.coding))


def recall_out(recalled: Recalled, query: patterns_pb2.Patterns, seed: int) -> recall_service_pb2.RecallResponse:
    """The answer of one recall."""
    return recall_service_pb2.RecallResponse(
        pattern=_states_out(recalled.states, query, recalled.head.spec),
        energy=recalled.energies[0],
        initial_energy=recalled.initial_energies[0],
        iterations=recalled.iterations[0],
        flips=recalled.flips[0],
        stop_reason=_STOP_REASONS[recalled.stop_reasons[0]],
        label=recalled.labels[0] if recalled.labels else None,
        overlap=recalled.overlaps[0] if recalled.overlaps else None,
        match=_MATCHES[recalled.matches[0]],
        seed=seed,
        uid=recalled.head.uid,
        revision=recalled.head.revision,
        attention_labels=recalled.attention_labels,
        attention_weights=recalled.attention_weights,
    )


def batch_out(recalled: Recalled, queries: patterns_pb2.Patterns, seed: int) -> recall_service_pb2.BatchRecallResponse:
    """The answers of many recalls, column by column."""
    return recall_service_pb2.BatchRecallResponse(
        patterns=_states_out(recalled.states, queries, recalled.head.spec),
        energies=recalled.energies,
        initial_energies=recalled.initial_energies,
        iterations=recalled.iterations,
        flips=recalled.flips,
        stop_reasons=map(_STOP_REASONS.__getitem__, recalled.stop_reasons),
        labels=recalled.labels,
        overlaps=recalled.overlaps,
        matches=map(_MATCHES.__getitem__, recalled.matches),
        seed=seed,
        uid=recalled.head.uid,
        revision=recalled.head.revision,
        attention_labels=recalled.attention_labels,
        attention_weights=recalled.attention_weights,
    )


def trace_out(piece: TracePiece, query: patterns_pb2.Patterns, seed: int) -> recall_service_pb2.TraceRecallResponse:
    """Some steps of a recall, column by column, and at the end its answer."""
    steps, spec = piece.steps, piece.head.spec
    patterns = None
    if steps:
        states = np.stack([step.state for step in steps])
        if spec.coding is Coding.REAL:
            patterns = reals_out(states)
        elif query.WhichOneof("encoding") == "bits":
            patterns = packed_out(pack(states), spec)
            if not states.all():
                patterns.known = pack(np.abs(states)).tobytes()
        else:
            patterns = _signs_out([states], len(states), spec)
    return recall_service_pb2.TraceRecallResponse(
        iterations=[step.iteration for step in steps],
        patterns=patterns,
        energies=[step.energy for step in steps],
        flips=[step.flips for step in steps],
        recall=None if piece.recalled is None else recall_out(piece.recalled, query, seed),
    )


def nearest_out(found: NearestPatterns, queries: patterns_pb2.Patterns) -> recall_service_pb2.NearestResponse:
    """The stored patterns nearest to some queries."""
    return recall_service_pb2.NearestResponse(
        count=found.count,
        labels=found.labels,
        overlaps=found.overlaps,
        patterns=None if found.bits is None else _states_out(found.bits, queries, found.head.spec),
        uid=found.head.uid,
        revision=found.head.revision,
    )


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
