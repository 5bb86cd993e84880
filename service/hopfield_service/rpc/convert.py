"""Messages to values, and values to messages. Everything that a message alone can be wrong in is found here."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2
from hopfield_service.core.dynamics import Match, Order, RecallOptions, StopReason, TieRule, UpdateRule
from hopfield_service.core.network import Spec
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import Bits, padding_is_clear, row_bytes, unpacked_blocks
from hopfield_service.errors import InvalidField
from hopfield_service.serving.checks import Block
from hopfield_service.serving.loader import Token
from hopfield_service.serving.memories import Recalled
from hopfield_service.store.layout import Head
from hopfield_service.store.notes import Request

LEARNING_RULES = {
    memory_pb2.LEARNING_RULE_HEBBIAN: Rule.HEBBIAN,
    memory_pb2.LEARNING_RULE_PSEUDO_INVERSE: Rule.PSEUDO_INVERSE,
}
UPDATE_RULES = {
    recall_service_pb2.UPDATE_RULE_ASYNCHRONOUS: UpdateRule.ASYNCHRONOUS,
    recall_service_pb2.UPDATE_RULE_SYNCHRONOUS: UpdateRule.SYNCHRONOUS,
}
_RULE_NUMBERS = {rule: number for number, rule in LEARNING_RULES.items()} | {
    Rule.IMPORTED: memory_pb2.LEARNING_RULE_IMPORTED
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
            raise InvalidField(field, "must have its values in bits or in signs")
        return Block(neurons, np.empty((0, neurons), np.int8), field)
    payload: bytes = getattr(message, encoding)
    width = row_bytes(neurons) if encoding == "bits" else neurons
    if len(payload) != count * width:
        raise InvalidField(
            f"{field}.{encoding}",
            f"must be {count * width} bytes for {count} x {neurons} neurons, is {len(payload)}",
        )
    if encoding == "bits":
        bits = np.frombuffer(payload, np.uint8).reshape(count, width)
        if len(bits) and not padding_is_clear(bits, neurons):
            rule = f"must have zeros behind the last of the {neurons} neurons of each pattern"
            raise InvalidField(f"{field}.bits", rule)
        return Block(neurons, bits, field)
    signs = np.frombuffer(payload, np.int8).reshape(count, width)
    wrong = (signs > 1) | (signs < -1)
    if wrong.any():
        k, i = divmod(int(wrong.argmax()), neurons)
        raise InvalidField(f"{field}.signs", f"must be 1, -1 or 0; pattern {k} has {signs[k, i]} at neuron {i}")
    return Block(neurons, signs, field)


def query_in(message: patterns_pb2.Patterns) -> Block:
    """The one query of a recall."""
    if message.count != 1:
        raise InvalidField("query.count", f"must be 1, is {message.count}")
    return block_in(message, "query")


def queries_in(message: patterns_pb2.Patterns) -> Block:
    """The queries of a batch."""
    if message.count == 0:
        raise InvalidField("queries.count", "must be at least 1, is 0")
    return block_in(message, "queries")


def spec_in(message: memory_pb2.MemorySpec) -> Spec:
    """The parameters of a new memory."""
    if message.WhichOneof("family") is None:
        raise InvalidField("spec.family", "must be set: pairwise")
    pairwise = message.pairwise
    if pairwise.rule == memory_pb2.LEARNING_RULE_IMPORTED:
        raise InvalidField(
            "spec.pairwise.rule", "must be one that learns; ImportWeights makes a memory of given weights"
        )
    rule = _chosen(pairwise.rule, LEARNING_RULES, Rule.HEBBIAN, memory_pb2.LearningRule, "spec.pairwise.rule")
    thresholds = _thresholds(pairwise.thresholds, pairwise.neurons, "spec.pairwise.thresholds")
    return PairwiseSpec(pairwise.neurons, rule, thresholds)


def imported_spec_in(header: memory_service_pb2.ImportWeightsHeader) -> Spec:
    """The parameters of a memory of given weights."""
    thresholds = _thresholds(header.thresholds, header.neurons, "header.thresholds")
    return PairwiseSpec(header.neurons, Rule.IMPORTED, thresholds)


def _thresholds(values: Sequence[float], neurons: int, field: str) -> tuple[float, ...]:
    if len(values) not in {0, neurons}:
        raise InvalidField(field, f"must be none or one a neuron: {len(values)} for {neurons} neurons")
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
    update = _chosen(
        message.update, UPDATE_RULES, UpdateRule.ASYNCHRONOUS, recall_service_pb2.UpdateRule, "options.update"
    )
    tie = _chosen(message.tie, _TIE_RULES, TieRule.KEEP, recall_service_pb2.TieRule, "options.tie")
    order = _order(message)
    if update is not UpdateRule.ASYNCHRONOUS:
        for field, given in (("order", message.order), ("explicit_order", message.explicit_order)):
            if given:
                raise InvalidField(f"options.{field}", "must not be set but with UPDATE_RULE_ASYNCHRONOUS")
    return RecallOptions(
        seed=message.seed if message.HasField("seed") else secrets.randbits(64),
        update=update,
        order=order,
        max_iterations=message.max_iterations if message.HasField("max_iterations") else _DEFAULT_MAX_ITERATIONS,
        tie=tie,
        clamp=message.clamp,
    )


def _order(message: recall_service_pb2.RecallOptions) -> Order | NDArray[np.int64]:
    given = np.array(message.explicit_order, np.int64)
    orders: dict[Any, Order | NDArray[np.int64]] = {
        recall_service_pb2.UPDATE_ORDER_RANDOM: Order.RANDOM,
        recall_service_pb2.UPDATE_ORDER_SEQUENTIAL: Order.SEQUENTIAL,
        recall_service_pb2.UPDATE_ORDER_EXPLICIT: given,
    }
    default: Order | NDArray[np.int64] = given if len(given) else Order.RANDOM
    order = _chosen(message.order, orders, default, recall_service_pb2.UpdateOrder, "options.order")
    if len(given) and order is not given:
        raise InvalidField("options.explicit_order", "must be empty but with UPDATE_ORDER_EXPLICIT")
    return order


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
    )


def _spec_out(spec: Spec) -> memory_pb2.MemorySpec:
    match spec:
        case PairwiseSpec(neurons, rule, thresholds):
            pairwise = memory_pb2.PairwiseSpec(neurons=neurons, rule=_RULE_NUMBERS[rule], thresholds=thresholds)
            return memory_pb2.MemorySpec(pairwise=pairwise)
    raise TypeError(f"{type(spec).__name__} has no message")


def _timestamp(microseconds: int) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(_EPOCH + timedelta(microseconds=microseconds))
    return timestamp


def bits_out(bits: Bits, neurons: int) -> patterns_pb2.Patterns:
    """Packed patterns."""
    return patterns_pb2.Patterns(count=len(bits), neurons=neurons, bits=bits.tobytes())


def _states_out(states: Bits, like: patterns_pb2.Patterns) -> patterns_pb2.Patterns:
    """States in the encoding in which the queries came."""
    if like.WhichOneof("encoding") == "bits":
        return bits_out(states, like.neurons)
    signs = b"".join(block.tobytes() for block in unpacked_blocks(states, like.neurons))
    return patterns_pb2.Patterns(count=like.count, neurons=like.neurons, signs=signs)


def recall_out(recalled: Recalled, query: patterns_pb2.Patterns, seed: int) -> recall_service_pb2.RecallResponse:
    """The answer of one recall."""
    return recall_service_pb2.RecallResponse(
        pattern=_states_out(recalled.states, query),
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
    )


def batch_out(recalled: Recalled, queries: patterns_pb2.Patterns, seed: int) -> recall_service_pb2.BatchRecallResponse:
    """The answers of many recalls, column by column."""
    return recall_service_pb2.BatchRecallResponse(
        patterns=_states_out(recalled.states, queries),
        energies=recalled.energies,
        initial_energies=recalled.initial_energies,
        iterations=recalled.iterations,
        flips=recalled.flips,
        stop_reasons=[_STOP_REASONS[one] for one in recalled.stop_reasons],
        labels=recalled.labels,
        overlaps=recalled.overlaps,
        matches=[_MATCHES[one] for one in recalled.matches],
        seed=seed,
        uid=recalled.head.uid,
        revision=recalled.head.revision,
    )
