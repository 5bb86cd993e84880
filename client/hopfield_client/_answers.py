"""Answers of the server as the values that calls return."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hopfield.v1 import (
    diagnosis_pb2,
    memory_pb2,
    memory_service_pb2,
    patterns_pb2,
    recall_service_pb2,
    server_service_pb2,
)
from hopfield_client._diagnosis import Diagnosis, WeightStatistics
from hopfield_client._errors import Conflict, DataLoss
from hopfield_client._model_specs import model_of
from hopfield_client._models import Dense, Model
from hopfield_client._patterns import Packed, unpack
from hopfield_client._results import NearestPattern, Recall, RecallBatch
from hopfield_client._types import (
    Coding,
    LearningOutcome,
    Match,
    MemoryInfo,
    PatternArray,
    ServerInfo,
    StopReason,
    Stored,
)
from hopfield_client._words import (
    CODINGS,
    MATCHES,
    NORMALIZATIONS,
    RULES,
    STOP_REASONS,
    UPDATES,
    word,
    words_array,
)


def memory_info(memory: memory_pb2.Memory) -> MemoryInfo:
    return MemoryInfo(**_description(memory))


def stored(response: memory_service_pb2.StorePatternsResponse) -> Stored:
    return Stored(labels=tuple(response.labels), **_description(response.memory))


def _description(memory: memory_pb2.Memory) -> dict[str, Any]:
    return {
        "name": memory.name,
        "uid": memory.uid,
        "neurons": memory.neurons,
        **_parameters(memory.spec),
        "learning": _learning(memory),
        "pattern_count": memory.pattern_count,
        "load": memory.load,
        "capacity": memory.capacity if memory.HasField("capacity") else None,
        "revision": memory.revision,
        "created": memory.create_time.ToDatetime(UTC),
        "updated": memory.update_time.ToDatetime(UTC),
    }


def _parameters(spec: memory_pb2.MemorySpec) -> dict[str, Any]:
    pairwise = spec.pairwise
    hebbian = pairwise.rule == memory_pb2.LEARNING_RULE_HEBBIAN
    model = model_of(spec)
    return {
        "family": spec.WhichOneof("family") or "unknown",
        "model": model,
        "rule": None if model else word(RULES, pairwise.rule),
        "normalization": word(NORMALIZATIONS, pairwise.normalization) if hebbian else None,
        "self_coupling": pairwise.self_coupling,
        "coding": _coding(model) if model else word(CODINGS, pairwise.coding),
        "kappa": pairwise.kappa if pairwise.HasField("kappa") else None,
        "max_sweeps": pairwise.max_sweeps if pairwise.HasField("max_sweeps") else None,
        "thresholds": np.array(pairwise.thresholds) if pairwise.thresholds else None,
    }


def _coding(model: Model) -> Coding:
    return "bipolar" if isinstance(model, Dense) else "real"


def _learning(message: memory_pb2.Memory | diagnosis_pb2.Diagnosis) -> LearningOutcome | None:
    if not message.HasField("learning"):
        return None
    return LearningOutcome(converged=message.learning.converged, sweeps=message.learning.sweeps)


def diagnosis(response: memory_service_pb2.DiagnoseMemoryResponse) -> Diagnosis:
    found = response.diagnosis
    return Diagnosis(
        pattern_count=found.pattern_count,
        load=found.load,
        capacity=found.capacity if found.HasField("capacity") else None,
        stable_count=found.stable_count,
        smallest_margin=found.smallest_margin if found.HasField("smallest_margin") else None,
        mean_margin=found.mean_margin if found.HasField("mean_margin") else None,
        crosstalk=found.crosstalk if found.HasField("crosstalk") else None,
        mean_overlap=found.mean_overlap if found.HasField("mean_overlap") else None,
        weights=_weights(found.weights) if found.HasField("weights") else None,
        learning=_learning(found),
        verdict=found.verdict,
        revision=response.revision,
        uid=response.uid,
    )


def _weights(message: diagnosis_pb2.WeightStatistics) -> WeightStatistics:
    return WeightStatistics(
        min=message.min,
        max=message.max,
        mean=message.mean,
        standard_deviation=message.standard_deviation,
        mean_diagonal=message.mean_diagonal,
        asymmetry=message.asymmetry,
    )


def server_info(response: server_service_pb2.GetServerInfoResponse) -> ServerInfo:
    return ServerInfo(
        version=response.version,
        max_neurons=response.limits.max_neurons,
        max_patterns=response.limits.max_patterns,
        max_iterations=response.limits.max_iterations,
        max_message_bytes=response.limits.max_message_bytes,
        learning_rules=tuple(word(RULES, rule) for rule in response.learning_rules),
        update_rules=tuple(word(UPDATES, update) for update in response.update_rules),
    )


def recall(response: recall_service_pb2.RecallResponse, query: Packed) -> Recall:
    """The answer to a query, in its shape and type."""
    return Recall(
        pattern=unpack(response.pattern, query.shape, boolean=query.boolean),
        energy=response.energy,
        initial_energy=response.initial_energy,
        iterations=response.iterations,
        flips=response.flips,
        stop_reason=cast("StopReason", word(STOP_REASONS, response.stop_reason)),
        label=response.label if response.HasField("label") else None,
        overlap=response.overlap if response.HasField("overlap") else None,
        match=cast("Match", word(MATCHES, response.match)),
        seed=response.seed,
        revision=response.revision,
        uid=response.uid,
        attention=dict(zip(response.attention_labels, response.attention_weights, strict=True)),
    )


def recall_batch(response: recall_service_pb2.BatchRecallResponse, queries: Packed) -> RecallBatch:
    """The answers to queries, in their shape and type."""
    count = queries.message.count
    nothing_stored = not response.labels
    return RecallBatch(
        patterns=unpack(response.patterns, queries.shape, boolean=queries.boolean),
        energies=np.fromiter(response.energies, np.float64),
        initial_energies=np.fromiter(response.initial_energies, np.float64),
        iterations=np.fromiter(response.iterations, np.uint32),
        flips=np.fromiter(response.flips, np.uint64),
        stop_reasons=words_array(STOP_REASONS, response.stop_reasons),
        labels=np.array([None] * count if nothing_stored else list(response.labels), np.object_),
        overlaps=np.full(count, np.nan) if nothing_stored else np.fromiter(response.overlaps, np.float64),
        matches=words_array(MATCHES, response.matches),
        # Wraps at 2**64, as the server counts.
        seeds=np.uint64(response.seed) + np.arange(count, dtype=np.uint64),
        revision=response.revision,
        uid=response.uid,
        attentions=_attentions(response, count),
    )


def _attentions(response: recall_service_pb2.BatchRecallResponse, count: int) -> NDArray[np.object_]:
    labels, weights = response.attention_labels, response.attention_weights
    each = len(labels) // count
    attentions = np.empty(count, np.object_)
    if not each:
        # One for all of them, since nearly every batch is of a memory that has none.
        attentions.fill({})
        return attentions
    for k in range(count):
        part = slice(k * each, (k + 1) * each)
        attentions[k] = dict(zip(labels[part], weights[part], strict=True))
    return attentions


def joined(parts: Sequence[RecallBatch]) -> RecallBatch:
    """The answers to a batch that went in parts.

    Raises:
        Conflict: the memory was deleted and made anew between them.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(part.uid != first.uid for part in parts):
        raise Conflict("the memory was deleted and made anew while the batch was recalled: ask again")
    columns = {
        column.name: np.concatenate([getattr(part, column.name) for part in parts])
        for column in fields(RecallBatch)
        if column.name not in {"revision", "uid"}
    }
    return RecallBatch(**columns, revision=min(part.revision for part in parts), uid=first.uid)


def no_recalls(queries: Packed) -> RecallBatch:
    """The answers to a batch without queries, of which the server was not asked."""
    real = queries.message.coding == patterns_pb2.CODING_REAL
    dtype = np.bool_ if queries.boolean else np.float32 if real else np.int8
    return RecallBatch(
        patterns=np.empty(queries.shape, dtype),
        energies=np.empty(0),
        initial_energies=np.empty(0),
        iterations=np.empty(0, np.uint32),
        flips=np.empty(0, np.uint64),
        stop_reasons=words_array(STOP_REASONS, ()),
        labels=np.empty(0, np.object_),
        overlaps=np.empty(0),
        matches=words_array(MATCHES, ()),
        seeds=np.empty(0, np.uint64),
        revision=0,
        uid="",
        attentions=np.empty(0, np.object_),
    )


def recalls(response: recall_service_pb2.BatchRecallResponse, queries: Packed) -> list[Recall]:
    """The answers to queries one by one, each in its shape and type.

    Raises:
        DataLoss: the columns do not fit together.
    """
    count = queries.message.count
    labels: Sequence[str | None] = response.labels or [None] * count
    overlaps: Sequence[float | None] = response.overlaps or [None] * count
    columns = (
        list(unpack(response.patterns, queries.shape, boolean=queries.boolean)),
        response.energies,
        response.initial_energies,
        response.iterations,
        response.flips,
        response.stop_reasons,
        labels,
        overlaps,
        response.matches,
        list(_attentions(response, count)),
    )
    if any(len(column) != count for column in columns):
        raise DataLoss("the answers do not arrive as the server announced them")
    revision, uid = response.revision, response.uid
    return [
        Recall(
            pattern=pattern,
            energy=energy,
            initial_energy=initial_energy,
            iterations=iterations,
            flips=flips,
            stop_reason=cast("StopReason", word(STOP_REASONS, stop_reason)),
            label=label,
            overlap=overlap,
            match=cast("Match", word(MATCHES, match)),
            # As the server counts.
            seed=(response.seed + k) % (1 << 64),
            revision=revision,
            uid=uid,
            attention=attention,
        )
        for k, (
            pattern,
            energy,
            initial_energy,
            iterations,
            flips,
            stop_reason,
            label,
            overlap,
            match,
            attention,
        ) in enumerate(zip(*columns, strict=True))
    ]


def nearest(response: recall_service_pb2.NearestResponse, query: Packed) -> list[NearestPattern]:
    """The stored patterns nearest to one query, in its shape and type where they came too.

    Raises:
        DataLoss: the columns do not fit together.
    """
    count = response.count
    if not count == len(response.labels) == len(response.overlaps):
        raise DataLoss("the nearest patterns do not arrive as the server announced them")
    patterns: Iterable[PatternArray | None] = [None] * count
    if response.HasField("patterns"):
        patterns = unpack(response.patterns, (count, *query.shape), boolean=query.boolean)
    return [
        NearestPattern(label=label, overlap=overlap, pattern=pattern)
        for label, overlap, pattern in zip(response.labels, response.overlaps, patterns, strict=True)
    ]
