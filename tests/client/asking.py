"""What the calls of a client are asked for, with every default filled in as the clients do."""

from typing import Any

from hopfield.v1 import memory_service_pb2, recall_service_pb2
from hopfield_client._client_calls import ClientCalls
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._recall_options import recall_options


def options(**chosen: Any) -> recall_service_pb2.RecallOptions:
    defaults = {
        "coding": None,
        "update": "asynchronous",
        "order": "random",
        "seed": None,
        "max_iterations": 100,
        "tie": "keep",
        "clamp": False,
        "beta": None,
    }
    return recall_options(**{**defaults, **chosen})


def creation(calls: ClientCalls, neurons: Any = 4, *, name: Any = "digits", **chosen: Any) -> Any:
    defaults = {
        "model": None,
        "rule": "hebbian",
        "normalization": "neurons",
        "thresholds": None,
        "self_coupling": False,
        "coding": "bipolar",
        "kappa": 1.0,
        "max_sweeps": 1000,
        "shape": None,
        "exist_ok": False,
    }
    return calls.create_memory(name, neurons, **{**defaults, **chosen})


def update(memory: MemoryCalls, **chosen: Any) -> Any:
    parameters = ("model", "rule", "normalization", "thresholds", "self_coupling", "kappa", "max_sweeps")
    return memory.update(**{**dict.fromkeys((*parameters, "expected_revision")), **chosen})


def store(
    memory: MemoryCalls, patterns: Any, labels: Any = None, **chosen: Any
) -> memory_service_pb2.StorePatternsRequest:
    return memory.store(patterns, labels, **{"replace": False, "expected_revision": None, **chosen}).request
