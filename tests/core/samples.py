"""Networks, patterns and queries to test with, and the means to compare them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core import oracle

from hopfield_service.core.dynamics import Trajectory
from hopfield_service.core.hebbian import Hebbian
from hopfield_service.core.interruption import never
from hopfield_service.core.kernels.couplings import Basis, Matrix
from hopfield_service.core.learning import Couplings, LearningParameters, Normalization, StateArray
from hopfield_service.core.network import Import, Network, Operation, PatternNetwork, Store, StoredPatterns, Weighted
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import TWO_VALUED, Bits, Coding, Queries, pack, row_bytes
from hopfield_service.core.results import RecallResult
from hopfield_service.store.blob_codec import Manifest, read_blob, write_blob
from hopfield_service.store.layout import restored_network, snapshot_arrays

Signs = NDArray[np.int8]
AnyNetwork = TypeVar("AnyNetwork", bound=Network)

LEARNT = [rule for rule in Rule if rule is not Rule.IMPORTED]

seeds = st.integers(0, 2**64 - 1)
# Small ones most of the time, so that many can be tried.
sizes = st.one_of(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 200))


def signs(rows: Sequence[Any] | NDArray[Any]) -> Signs:
    return np.array(rows, np.int8)


def random_signs(random: np.random.Generator, *shape: int) -> Signs:
    return random.choice(signs([-1, 1]), shape)


def every_state(neurons: int) -> Signs:
    """All of them, (2^N, N): bit i of a state's number is neuron i."""
    numbers = np.arange(2**neurons)[:, np.newaxis]
    return (2 * (numbers >> np.arange(neurons) & 1) - 1).astype(np.int8)


def flipped(pattern: Signs, where: NDArray[Any]) -> Signs:
    """A copy with some neurons inverted."""
    copy = pattern.copy()
    copy[where] *= -1
    return copy


def no_patterns(neurons: int) -> Bits:
    return np.empty((0, row_bytes(neurons)), np.uint8)


def interruption_after(questions: int) -> Callable[[], bool]:
    """Says "go on" so many times, and "stop" from then on."""
    asked = iter(range(questions))
    return lambda: next(asked, None) is None


# Networks


def store(patterns: Signs, labels: Sequence[str] | None = None, *, replace: bool = False) -> Store:
    return Store(pack(patterns), tuple(labels or map(str, range(len(patterns)))), replace)


def after(network: AnyNetwork, *operations: Operation) -> AnyNetwork:
    """The fold."""
    for operation in operations:
        network = network.apply(operation, never)  # type: ignore[assignment]
    return network


def memory(rule: Rule, patterns: Signs, thresholds: Sequence[float] = (), **parameters: Any) -> PairwiseNetwork:
    """A memory of these patterns, stored at once under the labels "0", "1", ..."""
    return memory_of(PairwiseSpec(patterns.shape[1], rule, tuple(thresholds), **parameters), patterns)


def memory_of(spec: PairwiseSpec, patterns: Signs) -> PairwiseNetwork:
    """The same with a spec."""
    return after(spec.empty(), store(patterns)) if len(patterns) else spec.empty()


def imported(
    weights: Sequence[Sequence[float]] | NDArray[np.float64],
    thresholds: Sequence[float] = (),
    coding: Coding = Coding.BIPOLAR,
) -> PairwiseNetwork:
    """A network of given weights."""
    matrix = np.array(weights, np.float64)
    spec = PairwiseSpec(len(matrix), Rule.IMPORTED, tuple(thresholds), coding=coding)
    return after(spec.empty(), Import({"weights": StateArray(matrix, symmetric=True)}))


def of_couplings(
    couplings: Couplings, thresholds: Sequence[float] = (), coding: Coding = Coding.BIPOLAR
) -> PairwiseNetwork:
    """A network of couplings that no store led to."""
    neurons = len(couplings.weights)
    spec = PairwiseSpec(neurons, thresholds=tuple(thresholds), coding=coding)
    return PairwiseNetwork(spec, StoredPatterns.none(row_bytes(neurons)), couplings)


def of_integers(
    sums: Sequence[Sequence[int]] | NDArray[Any],
    divisor: int,
    thresholds: Sequence[float] = (),
    coding: Coding = Coding.BIPOLAR,
) -> PairwiseNetwork:
    """A network of integer weights with a scale: as if so many patterns had left these sums."""
    matrix = np.array(sums, np.int32)
    parameters = LearningParameters(len(matrix), Normalization.PATTERNS)
    return of_couplings(Hebbian(parameters, np.broadcast_to(np.uint8(0), (divisor, 1)), matrix), thresholds, coding)


def weights_of(network: Weighted) -> NDArray[np.float64]:
    """J (or T), put together from blocks of rows."""
    return np.concatenate(list(network.weight_rows(7)))


def off_diagonal(matrix: NDArray[Any]) -> NDArray[Any]:
    """The same with zero diagonal."""
    return np.where(np.eye(len(matrix), dtype=np.bool_), 0, matrix)


def kept(network: Weighted) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Everything a network keeps, and the weights it recalls with, to the last bit."""
    arrays = {name: array.values for name, array in snapshot_arrays(network).items()} | {"J": weights_of(network)}
    return {name: (values.dtype.str, values.shape, values.tobytes()) for name, values in arrays.items()}


def through_a_snapshot(network: AnyNetwork) -> AnyNetwork:
    """What another process makes of a network that this one wrote."""
    manifest, chunks = write_blob(snapshot_arrays(network), "blob", 1, "commit", network.stored.next_number)
    manifest = Manifest.from_json(manifest.to_json().encode())
    restored = restored_network(manifest, read_blob(manifest, chunks))
    assert isinstance(restored, type(network))
    return restored


# Recalls


def trajectory_of(network: PairwiseNetwork, query: Signs, options: RecallOptions) -> Trajectory:
    return Trajectory(network.dynamics, Queries.of(query), options)


def run_to_the_end(trajectory: Trajectory) -> None:
    while trajectory.stop_reason is None:
        trajectory.advance(1000)


def recall(network: PatternNetwork, query: Sequence[int] | Signs, **options: Any) -> RecallResult:
    return network.recall(Queries.of(signs(query)), RecallOptions(**{"seed": 0, **options}), never)


def energy(network: PairwiseNetwork, state: Sequence[int] | Signs) -> float:
    return trajectory_of(network, signs(state), RecallOptions(seed=0)).energy


def energies(network: PairwiseNetwork, states: Signs) -> NDArray[np.float64]:
    """`-1/2 s'Js + U's`, or `-1/2 V'TV + U'V`, of each of some states, by numpy; of 0 and 1 with `V_i` for `V_i^2`."""
    values, weights, linear = states.astype(np.float64), weights_of(network), network.thresholds
    if network.spec.coding is Coding.BINARY:
        values, weights, linear = (1 + values) / 2, off_diagonal(weights), linear - weights.diagonal() / 2
    of_each: NDArray[np.float64] = -0.5 * np.sum(values @ weights * values, axis=1) + values @ linear
    return of_each


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


# Strategies


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


@st.composite
def specs(
    draw: st.DrawFn,
    neurons: int,
    rules: Sequence[Rule] = LEARNT,
    codings: Sequence[Coding] = TWO_VALUED,
    max_sweeps: int = 12,
) -> PairwiseSpec:
    """Every combination of the parameters that a rule takes."""
    rule = draw(st.sampled_from(rules))
    parameters: dict[str, Any] = {"coding": draw(st.sampled_from(codings))}
    if rule is not Rule.IMPORTED:
        parameters["self_coupling"] = draw(st.booleans())
    if rule is Rule.HEBBIAN:
        parameters["normalization"] = draw(st.sampled_from(Normalization))
    if rule is Rule.PERCEPTRON:
        parameters["kappa"] = draw(st.sampled_from([0.0, 0.3, 1.0, 2.5]))
        parameters["max_sweeps"] = draw(st.integers(1, max_sweeps))
    if draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        parameters["thresholds"] = tuple((random.integers(-9, 10, neurons) / 8).tolist())
    return PairwiseSpec(neurons, rule, **parameters)


@st.composite
def networks(
    draw: st.DrawFn, diagonal: str = "any", codings: Sequence[Coding] = TWO_VALUED, *, thresholds: bool = True
) -> PairwiseNetwork:
    """Networks of 1 to 200 neurons of every rule with all its parameters, and of weights given from outside.

    Args:
        draw: of hypothesis.
        diagonal: of the weights: "any", or "not negative".
        codings: to choose from.
        thresholds: whether there may be any.
    """
    neurons = draw(sizes)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    spec = draw(specs(neurons, list(Rule), codings))
    if not thresholds:
        spec = spec.changed({"thresholds": []})
    if spec.rule is Rule.IMPORTED:
        spread = random.normal(size=(neurons, neurons))
        symmetric = np.tril(spread) + np.tril(spread, -1).T
        if diagonal == "not negative":
            np.fill_diagonal(symmetric, np.abs(symmetric.diagonal()))
        return imported(symmetric, spec.thresholds, spec.coding)
    network = memory_of(spec, random_signs(random, draw(st.integers(0, 12)), neurons))
    # Storkey's rule can give a negative self-coupling.
    assume(diagonal == "any" or network.local_field.weights.diagonal().min() >= 0)
    return network


@st.composite
def queries(draw: st.DrawFn, neurons: int) -> Signs:
    """Random states, often with unknown neurons."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    unknown = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    return np.where(random.random(neurons) < unknown, 0, random_signs(random, neurons)).astype(np.int8)


@dataclass
class Case:
    """A network, the same for the oracle, and a query."""

    network: PairwiseNetwork
    weights: oracle.Weights
    query: Signs

    def energy(self, state: Sequence[int]) -> Any:
        """Of a state: to the last bit, but where the network adds floats in another order than that of the neurons."""
        expected = self.weights.energy(state)
        form = self.network.dynamics.form
        if isinstance(form, Basis) or (isinstance(form, Matrix) and len(form.fine)):
            return pytest.approx(expected, rel=1e-12, abs=1e-12 * self.size)
        return expected

    @property
    def size(self) -> float:
        """What an energy, and all that is added up on the way to it, is at most."""
        weights = sum(abs(weight) for row in self.weights.matrix for weight in row) / self.weights.divisor
        return 1 + weights + sum(map(abs, self.weights.thresholds))


def largest_row_sum_of_projection(network: PairwiseNetwork) -> float:
    """What the row sums of a projection are bounded by."""
    basis = network.arrays()["basis"].values
    squares = [oracle.in_order(float(entry) ** 2 for entry in column) for column in basis.T]
    return math.sqrt(network.spec.neurons * max(squares))


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = ("hebbian", "integers", "eighths", "gaussian", "learnt"),
    diagonal: str = "any",
    codings: Sequence[Coding] = TWO_VALUED,
    max_neurons: int = 40,
) -> Case:
    """Networks of every kind of weights in either coding, with and without thresholds, many of them full of ties.

    Args:
        draw: of hypothesis.
        kinds: of weights: Hebb's sums; small integers; multiples of 1/8, whose sums are exact in floats; normally distributed
            floats; those of any rule, with any of its parameters.
        diagonal: of the weights: "any", or "not negative".
        codings: to choose from.
        max_neurons: N.
    """
    kind = draw(st.sampled_from(kinds))
    coding = draw(st.sampled_from(codings))
    neurons = draw(st.integers(1, max_neurons))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    grid = neurons if kind in {"hebbian", "integers"} else 8
    thresholds = (random.integers(-9, 10, neurons) / grid).tolist() if draw(st.booleans()) else []
    patterns = random_signs(random, int(random.integers(0, 7)), neurons)
    if kind == "hebbian":
        self_coupling = draw(st.booleans())
        network = memory(Rule.HEBBIAN, patterns, thresholds, coding=coding, self_coupling=self_coupling)
        matrix: Any = oracle.hebbian_sums(patterns.tolist(), neurons, diagonal=self_coupling)
        divisor = float(neurons)
    elif kind == "learnt":
        network = memory_of(draw(specs(neurons, codings=[coding])), patterns)
        thresholds = network.thresholds.tolist()
        matrix, divisor = network.local_field.weights.tolist(), network.local_field.divisor
    else:
        spread = (
            random.normal(size=(neurons, neurons)) if kind == "gaussian" else random.integers(-2, 3, (neurons, neurons))
        )
        symmetric = np.tril(spread) + np.tril(spread, -1).T
        if diagonal == "not negative":
            np.fill_diagonal(symmetric, np.abs(symmetric.diagonal()))
        if kind == "integers":
            network = of_integers(symmetric, neurons, thresholds, coding)
            matrix, divisor = symmetric.tolist(), float(neurons)
        else:
            symmetric = symmetric / (8 if kind == "eighths" else 1)
            network = imported(symmetric, thresholds, coding)
            matrix, divisor = symmetric.tolist(), 1.0
    assume(diagonal == "any" or network.local_field.weights.diagonal().min() >= 0)
    weights = oracle.Weights(matrix, divisor, thresholds, coding is Coding.BINARY)
    if network.spec.rule is Rule.PSEUDO_INVERSE:
        weights.largest_row_sum = largest_row_sum_of_projection(network)
    return Case(network, weights, draw(queries(neurons)))


ANNEALING = "annealing"
WAYS = (*(update.value for update in UpdateRule), ANNEALING)


@st.composite
def recall_options(
    draw: st.DrawFn, neurons: int, max_iterations: int = 12, ways: Sequence[str] = WAYS
) -> RecallOptions:
    """Every way to run a recall."""
    explicit = np.array(draw(st.permutations(range(neurons))), np.int64)
    orders: list[Order | NDArray[np.int64]] = [Order.RANDOM, Order.RANDOM, Order.SEQUENTIAL, explicit]
    way = draw(st.sampled_from(ways))
    # Above 1e12 or so the rounding of a sum of floats would decide.
    temperatures = st.one_of(st.floats(0, 8), st.sampled_from([0.0, 1e-3, 0.5, 1e3]))
    beta: float | NDArray[np.float64] | None = None
    if way == ANNEALING:
        beta = np.array(draw(st.lists(temperatures, min_size=1, max_size=6)), np.float64)
    elif way == UpdateRule.GLAUBER.value:
        beta = draw(temperatures)
    return RecallOptions(
        seed=draw(seeds),
        update=UpdateRule.GLAUBER if way == ANNEALING else UpdateRule(way),
        order=orders[draw(st.integers(0, 3))],
        max_iterations=draw(st.integers(1, max_iterations)),
        tie=draw(st.sampled_from(TieRule)),
        clamp=draw(st.booleans()),
        beta=beta,
    )


def history_of(case: Case, options: RecallOptions) -> oracle.History:
    """What the oracle says of a recall."""
    return history_from(case.weights, case.query, options)


def history_from(couplings: oracle.Couplings, state: Signs, options: RecallOptions) -> oracle.History:
    """The same, of a query to a network."""
    query = state.tolist()
    how: dict[str, Any] = {"seed": options.seed, "clamp": options.clamp, "max_iterations": options.max_iterations}
    if isinstance(options.beta, float):
        return oracle.glauber(couplings, query, beta=options.beta, **how)
    how["tie"] = options.tie.name.lower()
    if options.update is UpdateRule.SYNCHRONOUS:
        return oracle.synchronous(couplings, query, **how)
    order = options.order.value if isinstance(options.order, Order) else options.order.tolist()
    schedule = [] if options.beta is None else options.beta.tolist()
    return oracle.asynchronous(couplings, query, order=order, schedule=schedule, **how)
