"""Networks, patterns and queries to test with, and the means to compare them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.oracle import Weights, hebbian_sums

from hopfield_service.core.dynamics import Order, RecallOptions, RecallResult, TieRule, UpdateRule
from hopfield_service.core.learning import Couplings, Hebbian, StateArray
from hopfield_service.core.network import Import, Network, Store, StoredPatterns
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import pack, row_bytes
from hopfield_service.store.layout import Manifest, read_blob, restored_network, snapshot_arrays, write_blob

Signs = NDArray[np.int8]

seeds = st.integers(0, 2**64 - 1)


def signs(rows: Sequence[Any] | NDArray[Any]) -> Signs:
    return np.array(rows, np.int8)


def random_signs(random: np.random.Generator, *shape: int) -> Signs:
    return random.choice(signs([-1, 1]), shape)


def flipped(pattern: Signs, where: NDArray[Any]) -> Signs:
    """A copy with some neurons inverted."""
    copy = pattern.copy()
    copy[where] *= -1
    return copy


def store(patterns: Signs, labels: Sequence[str] | None = None, *, replace: bool = False) -> Store:
    return Store(pack(patterns), tuple(labels or map(str, range(len(patterns)))), replace)


def memory(rule: Rule, patterns: Signs, thresholds: Sequence[float] = ()) -> PairwiseNetwork:
    """A memory of these patterns, stored at once under the labels "0", "1", ..."""
    empty = PairwiseSpec(patterns.shape[1], rule, tuple(thresholds)).empty()
    return empty.apply(store(patterns)) if len(patterns) else empty


def imported(
    weights: Sequence[Sequence[float]] | NDArray[np.float64], thresholds: Sequence[float] = ()
) -> PairwiseNetwork:
    """A network of given weights."""
    matrix = np.array(weights, np.float64)
    spec = PairwiseSpec(len(matrix), Rule.IMPORTED, tuple(thresholds))
    return spec.empty().apply(Import({"weights": StateArray(matrix, symmetric=True)}))


def of_couplings(couplings: Couplings, thresholds: Sequence[float] = ()) -> PairwiseNetwork:
    """A network of couplings that no store led to."""
    neurons = len(couplings.weights)
    spec = PairwiseSpec(neurons, thresholds=tuple(thresholds))
    return PairwiseNetwork(spec, StoredPatterns.none(row_bytes(neurons)), couplings)


def of_integers(
    sums: Sequence[Sequence[int]] | NDArray[Any], divisor: float, thresholds: Sequence[float] = ()
) -> PairwiseNetwork:
    """A network of integer weights with a scale."""
    return of_couplings(Hebbian(np.array(sums, np.int32), divisor), thresholds)


def weights_of(network: Network) -> NDArray[np.float64]:
    """J, put together from blocks of rows."""
    return np.concatenate(list(network.weight_rows(7)))


def kept(network: Network) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Everything a network keeps, and the weights it recalls with, to the last bit."""
    arrays = {name: array.values for name, array in snapshot_arrays(network).items()} | {"J": weights_of(network)}
    return {name: (values.dtype.str, values.shape, values.tobytes()) for name, values in arrays.items()}


def through_a_snapshot(network: Network) -> Network:
    """What another process makes of a network that this one wrote."""
    manifest, chunks = write_blob(snapshot_arrays(network), "blob", 1, "commit", network.stored.next_number)
    manifest = Manifest.from_json(manifest.to_json().encode())
    spec = type(network.spec).from_parameters(json.loads(json.dumps(network.spec.parameters())))
    return restored_network(spec, manifest, read_blob(manifest, chunks))


def recall(network: Network, query: Sequence[int] | Signs, **options: Any) -> RecallResult:
    return network.recall(signs(query), RecallOptions(**{"seed": 0, **options}), lambda: False)


def facts(result: RecallResult) -> tuple[Any, ...]:
    """Everything a recall says, to the last bit."""
    return (
        result.state.tolist(),
        result.energy.hex(),
        result.initial_energy.hex(),
        result.iterations,
        result.flips,
        result.stop_reason,
        result.nearest,
        result.overlap,
        result.match,
    )


@st.composite
def pattern_sets(draw: st.DrawFn, neurons: int | None = None, min_count: int = 0, max_count: int = 24) -> Signs:
    """Patterns of 1 to 60 neurons, some of them equal or inverse to others, at times more than there are neurons."""
    if neurons is None:
        neurons = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    patterns = random_signs(random, draw(st.integers(min_count, max_count)), neurons)
    for k in range(1, len(patterns)):
        kind = draw(st.sampled_from(["new", "new", "new", "equal", "inverse"]))
        if kind != "new":
            patterns[k] = patterns[int(random.integers(k))] * (1 if kind == "equal" else -1)
    return patterns


@dataclass
class Case:
    """A network, the same for the oracle, and a query."""

    network: PairwiseNetwork
    weights: Weights
    query: Signs


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = ("hebbian", "integers", "eighths", "gaussian", "projection"),
    diagonal: str = "any",
) -> Case:
    """Networks of every kind of weights, with and without thresholds, many of them full of ties.

    Args:
        draw: of hypothesis.
        kinds: of weights: Hebb's sums; small integers; multiples of 1/8, whose sums are exact in floats; normally distributed
            floats; projections.
        diagonal: of weights that no rule made: "any", or "not negative".
    """
    kind = draw(st.sampled_from(kinds))
    neurons = draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    grid = neurons if kind in {"hebbian", "integers"} else 8
    thresholds = (random.integers(-9, 10, neurons) / grid).tolist() if draw(st.booleans()) else []
    patterns = random_signs(random, int(random.integers(0, 7)), neurons)
    if kind == "hebbian":
        network = memory(Rule.HEBBIAN, patterns, thresholds)
        weights = Weights(hebbian_sums(patterns.tolist(), neurons), neurons, thresholds)
    elif kind == "projection":
        network = memory(Rule.PSEUDO_INVERSE, patterns, thresholds)
        weights = Weights(weights_of(network).tolist(), 1.0, thresholds)
    else:
        spread = (
            random.normal(size=(neurons, neurons)) if kind == "gaussian" else random.integers(-2, 3, (neurons, neurons))
        )
        matrix = np.tril(spread) + np.tril(spread, -1).T
        if kind == "integers":
            np.fill_diagonal(matrix, 0)
            network = of_integers(matrix, neurons, thresholds)
            weights = Weights(matrix.tolist(), neurons, thresholds)
        else:
            matrix = matrix / (8 if kind == "eighths" else 1)
            if diagonal == "not negative":
                np.fill_diagonal(matrix, np.abs(matrix.diagonal()))
            network = imported(matrix, thresholds)
            weights = Weights(matrix.tolist(), 1.0, thresholds)
    unknown = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    query = np.where(random.random(neurons) < unknown, 0, random_signs(random, neurons)).astype(np.int8)
    return Case(network, weights, query)


@st.composite
def recall_options(draw: st.DrawFn, neurons: int, max_iterations: int = 12) -> RecallOptions:
    """Every way to run a recall."""
    explicit = np.array(draw(st.permutations(range(neurons))), np.int64)
    orders: list[Order | NDArray[np.int64]] = [Order.RANDOM, Order.RANDOM, Order.SEQUENTIAL, explicit]
    return RecallOptions(
        seed=draw(seeds),
        update=draw(st.sampled_from(UpdateRule)),
        order=orders[draw(st.integers(0, 3))],
        max_iterations=draw(st.integers(1, max_iterations)),
        tie=draw(st.sampled_from(TieRule)),
        clamp=draw(st.booleans()),
    )
