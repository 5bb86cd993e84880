"""Messages to values, and values to messages, of RecallService. Everything that a message alone can be wrong in is found here."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield.v1 import patterns_pb2, recall_service_pb2
from hopfield_service.core.network import Spec
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.patterns import Bits, pack, unpacked_blocks
from hopfield_service.core.results import Match, StopReason
from hopfield_service.errors import InvalidField
from hopfield_service.rpc.convert import block_in, chosen, coding_out, packed_out, reals_out, signs_out
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


def _by_value(numbers: Mapping[Any, int]) -> NDArray[np.int64]:
    """The numbers of words on the wire, each where the value of its word points to."""
    table = np.zeros(max(numbers) + 1, np.int64)
    for word, number in numbers.items():
        table[word] = number
    return table


_STOP_REASONS_BY_VALUE = _by_value(_STOP_REASONS)
_MATCHES_BY_VALUE = _by_value(_MATCHES)

_DEFAULT_MAX_ITERATIONS = 100
# Of seeds that the caller does not give. They are no secrets, and this is faster than asking the system for each.
_seeds = random.Random()  # noqa: S311
_DEFAULT_K = 1


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
    return RecallOptions(_seeds.getrandbits(64), max_iterations=_DEFAULT_MAX_ITERATIONS)


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
    order = chosen(message.order, _ORDERS, default, recall_service_pb2.UpdateOrder, "options.order")
    if explicit and order is not _EXPLICIT:
        raise InvalidField("options.explicit_order", "must be empty but with UPDATE_ORDER_EXPLICIT")
    return np.array(message.explicit_order, np.int64) if order is _EXPLICIT else order


def k_in(message: recall_service_pb2.NearestRequest) -> int:
    """How many nearest patterns are asked for."""
    return message.k if message.HasField("k") else _DEFAULT_K


def _states_out(states: Bits, encoding: Encoding, spec: Spec) -> patterns_pb2.Patterns:
    """States in the encoding in which the queries came."""
    if encoding != "signs":
        return packed_out(states, spec)
    return signs_out(unpacked_blocks(states, spec.neurons), len(states), spec)


def recall_out(recalled: Recalled, encoding: Encoding, seed: int) -> recall_service_pb2.RecallResponse:
    """The answer of one recall, whose query came in this encoding."""
    head, result, label, attention_labels = recalled
    # Field by field: as arguments of the message they take twice as long.
    response = recall_service_pb2.RecallResponse()
    if encoding == "signs":
        bits = np.frombuffer(result.bits, np.uint8)[np.newaxis]
        response.pattern.CopyFrom(_states_out(bits, encoding, head.spec))
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


def batch_out(recalled: RecalledBatch, encoding: Encoding, seed: int) -> recall_service_pb2.BatchRecallResponse:
    """The answers of many recalls, column by column, whose queries came in this encoding."""
    head, results, labels, attention_labels = recalled
    return recall_service_pb2.BatchRecallResponse(
        patterns=_states_out(results.bits, encoding, head.spec),
        energies=results.energies.tolist(),
        initial_energies=results.initial_energies.tolist(),
        iterations=results.iterations.tolist(),
        flips=results.flips.tolist(),
        stop_reasons=_STOP_REASONS_BY_VALUE[results.stop_reasons].tolist(),
        labels=labels,
        overlaps=results.overlaps.tolist() if labels else (),
        matches=_MATCHES_BY_VALUE[results.matches].tolist(),
        seed=seed,
        uid=head.uid,
        revision=head.revision,
        attention_labels=attention_labels,
        attention_weights=() if results.attention is None else results.attention.weights.ravel().tolist(),
    )


def trace_out(piece: TracePiece, encoding: Encoding, seed: int) -> recall_service_pb2.TraceRecallResponse:
    """Some steps of a recall, whose query came in this encoding, column by column, and at the end its answer."""
    steps, spec = piece.steps, piece.head.spec
    patterns = None
    if steps:
        states = np.stack([step.state for step in steps])
        if encoding == "floats":
            patterns = reals_out(states)
        elif encoding == "bits":
            patterns = packed_out(pack(states), spec)
            if not states.all():
                patterns.known = pack(np.abs(states)).tobytes()
        else:
            patterns = signs_out([states], len(states), spec)
    return recall_service_pb2.TraceRecallResponse(
        iterations=[step.iteration for step in steps],
        patterns=patterns,
        energies=[step.energy for step in steps],
        flips=[step.flips for step in steps],
        recall=None if piece.recalled is None else recall_out(piece.recalled, encoding, seed),
    )


def nearest_out(found: NearestPatterns, encoding: Encoding) -> recall_service_pb2.NearestResponse:
    """The stored patterns nearest to some queries, which came in this encoding."""
    return recall_service_pb2.NearestResponse(
        count=found.count,
        labels=found.labels,
        overlaps=found.overlaps,
        patterns=None if found.bits is None else _states_out(found.bits, encoding, found.head.spec),
        uid=found.head.uid,
        revision=found.head.revision,
    )
