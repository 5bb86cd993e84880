"""Answers of the server as the values that calls return."""

from datetime import UTC
from typing import Any, cast

import numpy as np

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2
from hopfield_client._arguments import MATCHES, RULES, STOP_REASONS, UPDATES, word, words_array
from hopfield_client._patterns import Packed, unpack
from hopfield_client._types import Match, MemoryInfo, Recall, RecallBatch, ServerInfo, StopReason, Stored


def memory_info(memory: memory_pb2.Memory) -> MemoryInfo:
    return MemoryInfo(**_description(memory))


def stored(response: memory_service_pb2.StorePatternsResponse) -> Stored:
    return Stored(labels=tuple(response.labels), **_description(response.memory))


def _description(memory: memory_pb2.Memory) -> dict[str, Any]:
    pairwise = memory.spec.pairwise
    return {
        "name": memory.name,
        "uid": memory.uid,
        "neurons": memory.neurons,
        "rule": word(RULES, pairwise.rule),
        "pattern_count": memory.pattern_count,
        "load": memory.load,
        "revision": memory.revision,
        "created": memory.create_time.ToDatetime(UTC),
        "updated": memory.update_time.ToDatetime(UTC),
        "thresholds": np.array(pairwise.thresholds) if pairwise.thresholds else None,
    }


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
    )


def recall_batch(response: recall_service_pb2.BatchRecallResponse, queries: Packed) -> RecallBatch:
    """The answers to queries, in their shape and type."""
    count = queries.message.count
    nothing_stored = not response.labels
    return RecallBatch(
        patterns=unpack(response.patterns, queries.shape, boolean=queries.boolean),
        energies=np.array(response.energies, np.float64),
        initial_energies=np.array(response.initial_energies, np.float64),
        iterations=np.array(response.iterations, np.uint32),
        flips=np.array(response.flips, np.uint64),
        stop_reasons=words_array(STOP_REASONS, response.stop_reasons),
        labels=np.array([None] * count if nothing_stored else list(response.labels), np.object_),
        overlaps=np.full(count, np.nan) if nothing_stored else np.array(response.overlaps, np.float64),
        matches=words_array(MATCHES, response.matches),
        # Wraps at 2**64, as the server counts.
        seeds=np.uint64(response.seed) + np.arange(count, dtype=np.uint64),
        revision=response.revision,
        uid=response.uid,
    )
