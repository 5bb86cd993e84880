"""Messages to values, and values to messages, of RecallService. Everything that a message alone can be wrong in is found here."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield.v1 import patterns_pb2, recall_service_pb2
from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.network import Spec
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.patterns import Bits, pack, unpack, unpacked_blocks
from hopfield_service.core.results import Match, StopReason
from hopfield_service.errors import InvalidField
from hopfield_service.rpc.convert import (
    block_in,
    chosen,
    coding_out,
    numbers_in,
    packed_parts,
    reals_out,
    signs_out,
    values_of,
)
from hopfield_service.rpc.serializing import Part, delimited, integers, raw, strings
from hopfield_service.serving.checks import Block, Encoding
from hopfield_service.serving.recalls import NearestPatterns, Recalled, RecalledBatch, TracePiece

UPDATE_RULES = {
    recall_service_pb2.UPDATE_RULE_ASYNCHRONOUS: UpdateRule.ASYNCHRONOUS,
    recall_service_pb2.UPDATE_RULE_SYNCHRONOUS: UpdateRule.SYNCHRONOUS,
    recall_service_pb2.UPDATE_RULE_GLAUBER: UpdateRule.GLAUBER,
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


def _by_value(numbers: Mapping[Any, int]) -> NDArray[np.uint8]:
    """The numbers of words on the wire, each where the value of its word points to."""
    table = np.zeros(max(numbers) + 1, np.uint8)
    for word, number in numbers.items():
        table[word] = number
    return table


_STOP_REASONS_BY_VALUE = _by_value(_STOP_REASONS)
_MATCHES_BY_VALUE = _by_value(_MATCHES)

_DEFAULT_MAX_ITERATIONS = 100
# Queries of a message. Their answers take about 32 bytes each, and a label.
_MAX_QUERIES = 1 << 20
# Of seeds that the caller does not give. They are no secrets, and this is faster than asking the system for each.
_seeds = random.Random()  # noqa: S311
# Query k of a batch uses seed + k. JavaScript has exact integers up to 2^53.
_SEED_BITS = 52
_DEFAULT_K = 1


def query_in(message: patterns_pb2.Patterns) -> Block:
    """The one query of a recall."""
    if message.count != 1:
        raise InvalidField("query.count", f"must be 1, is {message.count}")
    return block_in(message, "query")


def queries_in(message: patterns_pb2.Patterns) -> Block:
    """The queries of a request that takes many."""
    if not 1 <= message.count <= _MAX_QUERIES:
        raise InvalidField("queries.count", f"must be 1 to {_MAX_QUERIES}, is {message.count}")
    return block_in(message, "queries")


def recall_in(
    message: recall_service_pb2.RecallRequest | recall_service_pb2.TraceRecallRequest,
) -> tuple[Block, RecallOptions]:
    """What one recall is asked from, and how it is to be run."""
    return query_in(message.query), _options_of(message)


def batch_in(message: recall_service_pb2.BatchRecallRequest) -> tuple[Block, RecallOptions]:
    """What many recalls are asked from, and how they are to be run."""
    return queries_in(message.queries), _options_of(message)


def _options_of(
    message: recall_service_pb2.RecallRequest
    | recall_service_pb2.TraceRecallRequest
    | recall_service_pb2.BatchRecallRequest,
) -> RecallOptions:
    if message.HasField("options"):
        return options_in(message.options)
    return RecallOptions(_seeds.getrandbits(_SEED_BITS), max_iterations=_DEFAULT_MAX_ITERATIONS)


def options_in(message: recall_service_pb2.RecallOptions) -> RecallOptions:
    """How a recall is to be run, every default filled in and the seed drawn if it was not given."""
    update = chosen(
        message.update, UPDATE_RULES, UpdateRule.ASYNCHRONOUS, recall_service_pb2.UpdateRule, "options.update"
    )
    tie = chosen(message.tie, _TIE_RULES, TieRule.KEEP, recall_service_pb2.TieRule, "options.tie")
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
        seed=message.seed if message.HasField("seed") else _seeds.getrandbits(_SEED_BITS),
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
    beta = numbers_in(message.annealing.beta if annealed else [message.beta], np.float64)
    wrong = ~(np.isfinite(beta) & (beta >= 0))
    if wrong.any():
        k = int(wrong.argmax())
        field = f"options.annealing.beta[{k}]" if annealed else "options.beta"
        raise InvalidField(field, f"must be finite and at least 0, is {beta[k]}")
    return beta if annealed else float(beta[0])


def _order(message: recall_service_pb2.RecallOptions) -> Order | NDArray[np.int64]:
    explicit = bool(message.explicit_order)
    default = _EXPLICIT if explicit else Order.RANDOM
    order = chosen(message.order, _ORDERS, default, recall_service_pb2.UpdateOrder, "options.order")
    if explicit and order is not _EXPLICIT:
        raise InvalidField("options.explicit_order", "must be empty but with UPDATE_ORDER_EXPLICIT")
    return numbers_in(message.explicit_order, np.int64) if order is _EXPLICIT else order


def k_in(message: recall_service_pb2.NearestRequest) -> int:
    """How many nearest patterns are asked for."""
    return message.k if message.HasField("k") else _DEFAULT_K


def recall_out(recalled: Recalled, encoding: Encoding, seed: int) -> recall_service_pb2.RecallResponse:
    """The answer of one recall, whose query came in this encoding."""
    head, result, label, attention_labels = recalled
    # Field by field: as arguments of the message they take twice as long.
    response = recall_service_pb2.RecallResponse()
    if encoding == "signs":
        bits = np.frombuffer(result.bits, np.uint8)[np.newaxis]
        response.pattern.CopyFrom(signs_out(unpack(bits, result.neurons), head.spec))
    else:
        pattern = response.pattern
        pattern.count, pattern.neurons, pattern.coding = 1, result.neurons, coding_out(head.spec.coding)
        if encoding == "bits":
            pattern.bits = result.bits
        else:
            pattern.floats = result.bits
    response.energy, response.initial_energy = result.energy, result.initial_energy
    response.iterations, response.flips = result.iterations, result.flips
    response.stop_reason, response.match = _STOP_REASONS[result.stop_reason], _MATCHES[result.match]
    if label is not None and result.overlap is not None:
        response.label, response.overlap = label, result.overlap
    response.seed, response.uid, response.revision = seed, head.uid, head.revision
    if result.attention is not None:
        response.attention_labels.extend(attention_labels)
        response.attention_weights.extend(result.attention.weights.tolist())
    return response


def batch_out(recalled: RecalledBatch, encoding: Encoding, seed: int, interruption: Interruption) -> bytes:
    """The answers of many recalls, a BatchRecallResponse on the wire, whose queries came in this encoding.

    Raises:
        Interrupted: `interruption` said so.
    """
    return b"".join(_batch_parts(recalled, encoding, seed, interruption))


def block_out(recalled: RecalledBatch, encoding: Encoding, seed: int, interruption: Interruption) -> bytes:
    """As `batch_out`, a StreamRecallResponse."""
    block = recall_service_pb2.StreamRecallResponse.BLOCK_FIELD_NUMBER
    return b"".join(delimited(block, list(_batch_parts(recalled, encoding, seed, interruption))))


def _batch_parts(recalled: RecalledBatch, encoding: Encoding, seed: int, interruption: Interruption) -> Iterator[Part]:
    head, results, labels = recalled
    response = recall_service_pb2.BatchRecallResponse
    yield response(seed=seed, uid=head.uid, revision=head.revision).SerializeToString()
    yield from _states_parts(response.PATTERNS_FIELD_NUMBER, results.bits, encoding, head.spec, interruption)
    yield from raw(response.ENERGIES_FIELD_NUMBER, results.energies)
    yield from raw(response.INITIAL_ENERGIES_FIELD_NUMBER, results.initial_energies)
    yield from integers(response.ITERATIONS_FIELD_NUMBER, results.iterations)
    yield from integers(response.FLIPS_FIELD_NUMBER, results.flips)
    yield from raw(response.STOP_REASONS_FIELD_NUMBER, _STOP_REASONS_BY_VALUE[results.stop_reasons])
    yield from raw(response.MATCHES_FIELD_NUMBER, _MATCHES_BY_VALUE[results.matches])
    if labels:
        yield from strings(response.LABELS_FIELD_NUMBER, labels, results.nearest, interruption)
        yield from raw(response.OVERLAPS_FIELD_NUMBER, results.overlaps)
    if results.attention is not None:
        positions, weights = results.attention.positions.ravel(), results.attention.weights.ravel()
        yield from strings(response.ATTENTION_LABELS_FIELD_NUMBER, labels, positions, interruption)
        yield from raw(response.ATTENTION_WEIGHTS_FIELD_NUMBER, weights)


def _states_parts(
    number: int, states: Bits, encoding: Encoding, spec: Spec, interruption: Interruption
) -> Iterator[Part]:
    """A field of Patterns on the wire: packed states in the encoding in which the queries came."""
    if encoding != "signs":
        yield from packed_parts(number, states, spec)
        return
    message = patterns_pb2.Patterns(count=len(states), neurons=spec.neurons, coding=coding_out(spec.coding))
    blocks = []
    for block in unpacked_blocks(states, spec.neurons):
        check(interruption)
        blocks.append(values_of(block, spec).data.cast("B"))
    yield from delimited(number, [message.SerializeToString(), *delimited(message.SIGNS_FIELD_NUMBER, blocks)])


def trace_out(
    piece: TracePiece, encoding: Encoding, seed: int, interruption: Interruption
) -> recall_service_pb2.TraceRecallResponse:
    """Some steps of a recall, whose query came in this encoding, column by column, and at the end its answer.

    Raises:
        Interrupted: `interruption` said so.
    """
    steps, spec = piece.steps, piece.head.spec
    check(interruption)
    patterns = None
    if steps:
        states = np.stack([step.state for step in steps])
        if encoding == "floats":
            patterns = reals_out(states)
        elif encoding == "bits":
            patterns = patterns_pb2.Patterns(
                count=len(states), neurons=spec.neurons, bits=pack(states).tobytes(), coding=coding_out(spec.coding)
            )
            if not states.all():
                patterns.known = pack(np.abs(states)).tobytes()
        else:
            patterns = signs_out(states, spec)
    return recall_service_pb2.TraceRecallResponse(
        iterations=[step.iteration for step in steps],
        patterns=patterns,
        energies=[step.energy for step in steps],
        flips=[step.flips for step in steps],
        recall=None if piece.recalled is None else recall_out(piece.recalled, encoding, seed),
    )


def nearest_out(found: NearestPatterns, encoding: Encoding, interruption: Interruption) -> bytes:
    """The stored patterns nearest to some queries, a NearestResponse on the wire, whose queries came in this encoding.

    Raises:
        Interrupted: `interruption` said so.
    """
    return b"".join(_nearest_parts(found, encoding, interruption))


def _nearest_parts(found: NearestPatterns, encoding: Encoding, interruption: Interruption) -> Iterator[Part]:
    response, head = recall_service_pb2.NearestResponse, found.head
    yield response(count=found.count, uid=head.uid, revision=head.revision).SerializeToString()
    yield from strings(response.LABELS_FIELD_NUMBER, found.stored_labels, found.positions, interruption)
    yield from raw(response.OVERLAPS_FIELD_NUMBER, found.overlaps)
    if found.bits is not None:
        yield from _states_parts(response.PATTERNS_FIELD_NUMBER, found.bits, encoding, head.spec, interruption)
