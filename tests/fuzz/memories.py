"""The memories that fuzzed calls read: one of each family and rule. No fuzzed call may change them."""

import numpy as np
from tests.wire import Wire, pairwise

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2

_IMPORTED = "kept-imported"
_RULES = memory_pb2.LearningRule

SPECS: dict[str, memory_pb2.MemorySpec] = {
    "kept-hebbian": pairwise(33),
    "kept-storkey": pairwise(20, rule=_RULES.LEARNING_RULE_STORKEY),
    "kept-second-order": pairwise(17, rule=_RULES.LEARNING_RULE_STORKEY_SECOND_ORDER),
    "kept-projection": pairwise(40, rule=_RULES.LEARNING_RULE_PSEUDO_INVERSE),
    "kept-perceptron": pairwise(24, rule=_RULES.LEARNING_RULE_PERCEPTRON),
    "kept-binary": pairwise(19, coding=patterns_pb2.CODING_BINARY),
    "kept-thresholds": pairwise(12, thresholds=np.linspace(-0.2, 0.2, 12).tolist()),
    "kept-self-coupling": pairwise(9, self_coupling=True),
    "kept-large": pairwise(1024),
    "kept-degree": memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(neurons=30, degree=3)),
    "kept-exponential": memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(neurons=64, exponential=True)),
    "kept-modern": memory_pb2.MemorySpec(modern=memory_pb2.ModernSpec(neurons=16, beta=2)),
    "kept-ring": memory_pb2.MemorySpec(ring=memory_pb2.RingSpec(neurons=64)),
    "kept-sheet": memory_pb2.MemorySpec(sheet=memory_pb2.SheetSpec(side=64)),
}
NEURONS = {"kept-imported": 11, "kept-ring": 64, "kept-sheet": 4096} | {
    name: getattr(spec, str(spec.WhichOneof("family"))).neurons
    for name, spec in SPECS.items()
    if name not in {"kept-ring", "kept-sheet"}
}
ATTRACTORS = ("kept-ring", "kept-sheet")
HOLDING_PATTERNS: tuple[str, ...] = tuple(name for name in NEURONS if name not in ATTRACTORS)
SCRATCH_NEURONS = 10
SCRATCH: dict[str, memory_pb2.MemorySpec] = {
    "scratch-hebbian": pairwise(SCRATCH_NEURONS),
    "scratch-projection": pairwise(SCRATCH_NEURONS, rule=_RULES.LEARNING_RULE_PSEUDO_INVERSE),
    "scratch-perceptron": pairwise(SCRATCH_NEURONS, rule=_RULES.LEARNING_RULE_PERCEPTRON),
    "scratch-binary": pairwise(SCRATCH_NEURONS, coding=patterns_pb2.CODING_BINARY),
    "scratch-degree": memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(neurons=SCRATCH_NEURONS, degree=4)),
    "scratch-modern": memory_pb2.MemorySpec(modern=memory_pb2.ModernSpec(neurons=SCRATCH_NEURONS, beta=1)),
}
"""The memories that fuzzed calls create and change."""
SHORT_LIVED = ("deleted-0", "deleted-1", "deleted-2")
"""Names of imported weights that fuzzed calls delete."""


def make_all(wire: Wire) -> None:
    """Creates the memories, each with a few patterns where its family holds any."""
    draw = np.random.default_rng(0)
    for name, spec in SPECS.items():
        wire.memory.CreateMemory(memory_service_pb2.CreateMemoryRequest(name=name, spec=spec))
        if name in ATTRACTORS:
            continue
        neurons = NEURONS[name]
        if name == "kept-modern":
            floats = draw.normal(size=(3, neurons)).astype("<f4")
            stored = patterns_pb2.Patterns(count=3, neurons=neurons, floats=floats.tobytes())
        else:
            packed = np.packbits(draw.integers(0, 2, (3, neurons), np.uint8), axis=1, bitorder="little")
            stored = patterns_pb2.Patterns(count=3, neurons=neurons, bits=packed.tobytes())
        wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=stored))
    neurons = NEURONS[_IMPORTED]
    weights = draw.normal(size=(neurons, neurons))
    header = memory_service_pb2.ImportWeightsHeader(name=_IMPORTED, neurons=neurons)
    rows = (weights + weights.T).astype("<f8").tobytes()
    wire.memory.ImportWeights(
        iter(
            [
                memory_service_pb2.ImportWeightsRequest(header=header),
                memory_service_pb2.ImportWeightsRequest(rows=rows),
            ]
        )
    )


def state(wire: Wire) -> dict[str, list[object]]:
    """All that can be read of the memories."""
    seen: dict[str, list[object]] = {}
    for name in NEURONS:
        seen[name] = [wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory]
        if name in HOLDING_PATTERNS:
            seen[name].append(wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name=name)))
        if name in HOLDING_PATTERNS and name not in {"kept-degree", "kept-exponential", "kept-modern"}:
            seen[name] += wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    return seen
