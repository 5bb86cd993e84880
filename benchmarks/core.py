"""The tables of the core: recalls one at a time and in batches, learning, growth with N and P, memory."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks import contenders
from benchmarks.measuring import Call, Row, Times, take_turns
from hopfield_service.core import families
from hopfield_service.core.attractor import Attractor
from hopfield_service.core.dense import DenseSpec
from hopfield_service.core.interruption import never
from hopfield_service.core.learning import StateArray
from hopfield_service.core.modern import ModernSpec
from hopfield_service.core.network import Import, PatternNetwork, Store
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import Queries, pack
from hopfield_service.core.results import Match
from hopfield_service.core.ring import RingSpec
from hopfield_service.core.sheet import SheetSpec

LOAD, FLIPPED = 0.05, 0.1
QUERIES = 256
ROUNDS = 21
Signs = NDArray[np.int8]
Progress = Callable[[str], None]


def random_patterns(count: int, neurons: int) -> Signs:
    random = np.random.default_rng([count, neurons])
    return random.choice(np.array([-1, 1], np.int8), (count, neurons))


def noisy(patterns: Signs, count: int) -> Signs:
    """Queries, each a pattern of which a tenth of the neurons is inverted."""
    random = np.random.default_rng(7)
    queries = patterns[random.integers(0, len(patterns), count)].copy()
    for query in queries:
        query[random.permutation(query.size)[: round(FLIPPED * query.size)]] *= -1
    return queries


def network_of(rule: Rule, patterns: Signs) -> PatternNetwork:
    labels = tuple(map(str, range(len(patterns))))
    return PairwiseSpec(patterns.shape[1], rule).empty().apply(Store(pack(patterns), labels), never)


def dense(patterns: Signs, degree: int) -> PatternNetwork:
    labels = tuple(map(str, range(len(patterns))))
    return DenseSpec(patterns.shape[1], degree).empty().apply(Store(pack(patterns), labels), never)


def imported(patterns: Signs) -> PatternNetwork:
    """Weights that are no sums of patterns as far as anybody knows, and not whole numbers either."""
    weights = 1.1 * contenders.hebb(patterns).astype(np.float64)
    spec = PairwiseSpec(patterns.shape[1], Rule.IMPORTED)
    return spec.empty().apply(Import({"weights": StateArray(weights, symmetric=True)}), never)


def recalls(network: PatternNetwork, queries: Signs) -> Call:
    """One asynchronous recall in random order, everything in it: energies, iterations, nearest pattern."""
    packed = [Queries.of(query) for query in queries]
    for k, query in enumerate(packed):
        network.recall(query, RecallOptions(seed=k), never)
    return lambda k: network.recall(packed[k % len(packed)], RecallOptions(seed=k), never)


def nearest(network: PatternNetwork, queries: Signs) -> Call:
    packed = [Queries.of(query) for query in queries]
    return lambda k: network.nearest(packed[k % len(packed)], 1)


def batch(network: PatternNetwork, queries: Signs) -> Call:
    packed = Queries.of(queries)
    return lambda k: list(network.recall_batch(packed, RecallOptions(seed=k), never))


def single(progress: Progress) -> Iterator[tuple[str, list[Row], Times]]:
    """One recall at a time."""
    for neurons in (100, 1000, 4096, 8192):
        progress(f"single recalls, N = {neurons}")
        patterns = random_patterns(round(LOAD * neurons), neurons)
        queries = noisy(patterns, QUERIES)
        weights = contenders.hebb(patterns)
        hebbian = network_of(Rule.HEBBIAN, patterns)
        named: dict[str, Call | None] = {
            "numpy loop": contenders.numpy_loop(weights, queries),
            "numpy product": contenders.numpy_product(weights, queries),
            "hebbian": recalls(hebbian, queries),
            "pseudo_inverse": recalls(network_of(Rule.PSEUDO_INVERSE, patterns), queries),
            "dense, degree 3": recalls(dense(patterns, 3), queries),
            "nearest": nearest(hebbian, queries),
            "FAISS": contenders.faiss(pack(patterns), pack(queries)),
            "torchhd": contenders.torchhd(patterns, queries),
        }
        if neurons <= 4096:
            named["imported"] = recalls(imported(patterns), queries)
            named["hopfieldkit"] = contenders.hopfieldkit(patterns, queries)
        times = take_turns({name: call for name, call in named.items() if call is not None}, ROUNDS)
        found = [
            hebbian.recall(Queries.of(query), RecallOptions(seed=k), never).match for k, query in enumerate(queries)
        ]
        rows = [Row("recalls that end in the pattern", [found.count(Match.PATTERN) / len(found)], "of all")]
        rows += single_rows(neurons, times)
        yield f"One recall, N = {neurons}, P = {len(patterns)}", rows, times


# Of the numpy loop, and of one product of matrix and vector: must and stretch.
_OF_LOOP = {1000: (0.12, 0.08), 4096: (0.04, 0.03)}
_OF_PRODUCT = {4096: (0.08, 0.06), 8192: (0.05, 0.03)}


def single_rows(neurons: int, times: Times) -> Iterator[Row]:
    for rule, must_factor, stretch_factor in (("hebbian", 1.0, 1.0), ("pseudo_inverse", 3.0, 1.5)):
        for to, goals in (("numpy loop", _OF_LOOP), ("numpy product", _OF_PRODUCT)):
            must, stretch = goals.get(neurons, (None, None))
            yield Row(
                f"{rule}, of {to}",
                times.ratios(rule, to),
                must=None if must is None else must_factor * must,
                stretch=None if stretch is None else stretch_factor * stretch,
            )
    yield Row("dense of degree 3, of hebbian", times.ratios("dense, degree 3", "hebbian"), must=3.0)
    if "imported" in times.seconds:
        goal = (0.4, 0.25) if neurons == 4096 else (None, None)
        yield Row("imported, of numpy loop", times.ratios("imported", "numpy loop"), must=goal[0], stretch=goal[1])
    if "hopfieldkit" in times.seconds:
        faster = (100.0, 200.0) if neurons >= 1000 else (None, None)
        ratios = times.ratios("hopfieldkit", "hebbian")
        yield Row("hopfieldkit, of hebbian", ratios, must=faster[0], stretch=faster[1], at_least=True)
    if "torchhd" in times.seconds:
        yield Row("torchhd, of hebbian", times.ratios("torchhd", "hebbian"))
    if "FAISS" in times.seconds:
        yield Row("nearest, of FAISS", times.ratios("nearest", "FAISS"))


def batches(progress: Progress) -> Iterator[tuple[str, list[Row], Times]]:
    """256 queries in one call."""
    for neurons, must, stretch in ((1000, 6.0, 12.0), (4096, 15.0, 30.0)):
        progress(f"batches, N = {neurons}")
        patterns = random_patterns(round(LOAD * neurons), neurons)
        queries = noisy(patterns, QUERIES)
        network = network_of(Rule.HEBBIAN, patterns)
        named: dict[str, Call | None] = {
            "hebbian": batch(network, queries),
            "torchhd": contenders.torchhd(patterns, queries[np.newaxis]),
        }
        times = take_turns({name: call for name, call in named.items() if call is not None}, ROUNDS)
        rows = []
        if "torchhd" in times.seconds:
            ratios = times.ratios("torchhd", "hebbian")
            rows.append(Row("torchhd, of hebbian", ratios, must=must, stretch=stretch, at_least=True))
        yield f"A batch of 256, N = {neurons}, P = {len(patterns)}", rows, times


def modern(progress: Progress) -> Iterator[tuple[str, list[Row], Times]]:
    """256 queries of a modern memory in one call, each at a distance of 4 from a pattern on the sphere of radius sqrt(N - 1)."""
    neurons, count, beta = 64, 1000, 0.25
    progress(f"a modern batch, N = {neurons}")
    random = np.random.default_rng(neurons)
    patterns = on_the_sphere(random, count, neurons, np.sqrt(neurons - 1))
    queries = patterns[random.integers(0, count, QUERIES)] + on_the_sphere(random, QUERIES, neurons, 4)
    spec = ModernSpec(neurons, beta)
    network = spec.empty().apply(Store(spec.packed(patterns), tuple(map(str, range(count)))), never)
    packed, once = Queries.of(queries), RecallOptions(seed=0, max_iterations=1)
    settled = np.concatenate([part.iterations for part in network.recall_batch(packed, RecallOptions(seed=0), never)])
    most = int(settled.max())
    times = take_turns(
        {
            "modern, 1 iteration": lambda _: list(network.recall_batch(packed, once, never)),
            "numpy, 1 iteration": contenders.numpy_softmax(patterns, beta, queries, 1),
            "modern": lambda _: list(network.recall_batch(packed, RecallOptions(seed=0), never)),
            f"numpy, {most} iterations": contenders.numpy_softmax(patterns, beta, queries, most),
        },
        ROUNDS,
    )
    rows = [
        Row("iterations until they settle, the mean", [float(settled.mean())], ""),
        Row(
            "modern, of numpy's iterations, as many as the longest takes",
            times.ratios("modern", f"numpy, {most} iterations"),
            must=1.0,
        ),
        Row(
            "modern, 1 iteration and the energies before and after, of numpy's",
            times.ratios("modern, 1 iteration", "numpy, 1 iteration"),
        ),
    ]
    yield f"A batch of 256, modern, N = {neurons}, P = {count}", rows, times


def on_the_sphere(random: np.random.Generator, count: int, neurons: int, radius: float) -> NDArray[np.float32]:
    vectors = random.normal(size=(count, neurons))
    placed: NDArray[np.float32] = (radius * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return placed


def numpy_learning(patterns: Signs) -> Call:
    signs = patterns.astype(np.float32)
    return lambda _: signs.T @ signs


def numpy_pass(neurons: int) -> Call:
    """One pass over the matrix that leaves it as it was, as every change must."""
    matrix = np.zeros((neurons, neurons), np.float32)
    return lambda _: matrix + 1


def learn(patterns: Signs, *, weights: bool = False) -> Call:
    """Hebb's rule, and where asked for its matrix of weights, which a snapshot holds and recall does without."""

    def run(_: int) -> object:
        network = network_of(Rule.HEBBIAN, patterns)
        return network.arrays() if weights else network

    return run


def fold(network: PatternNetwork, more: Signs) -> Call:
    return lambda k: network.apply(Store(pack(more[k % len(more)][np.newaxis]), ("new",)), never)


def learning(progress: Progress) -> Iterator[tuple[str, list[Row], Times]]:
    """Storing P patterns at once, and one more."""
    for neurons, load in ((1000, 0.05), (4096, 0.05), (4096, 0.3)):
        progress(f"learning, N = {neurons}, load {load}")
        patterns = random_patterns(round(load * neurons), neurons)
        more = random_patterns(ROUNDS + 9, neurons)
        networks = {rule: network_of(rule, patterns) for rule in _FACTORED}
        times = take_turns(
            {
                "numpy product": numpy_learning(patterns),
                "numpy pass": numpy_pass(neurons),
                "hebbian": learn(patterns),
                "hebbian, and its weights": learn(patterns, weights=True),
                **{f"{rule.value}, one more": fold(network, more) for rule, network in networks.items()},
            },
            9,
        )
        yield (
            f"Learning, N = {neurons}, P = {len(patterns)}",
            [
                Row("hebbian, of numpy product", times.ratios("hebbian", "numpy product"), must=1.5),
                Row(
                    "hebbian, and its weights, of numpy product",
                    times.ratios("hebbian, and its weights", "numpy product"),
                    must=1.5,
                ),
                Row("hebbian, one more, of numpy pass", times.ratios("hebbian, one more", "numpy pass"), must=1.0),
                Row(
                    "pseudo_inverse, one more, of numpy pass",
                    times.ratios("pseudo_inverse, one more", "numpy pass"),
                    must=1.0,
                ),
            ],
            times,
        )


def growth(progress: Progress) -> Iterator[tuple[str, list[Row], dict[str, list[tuple[int, float]]]]]:
    """Time of a recall against N and against P."""
    for what, sizes in (
        ("N", [(neurons, 16) for neurons in (256, 512, 1024, 2048, 4096, 8192, 16384)]),
        ("P", [(8192, count) for count in (25, 50, 100, 200, 400)]),
    ):
        curves: dict[str, list[tuple[int, float]]] = {"hebbian": [], "pseudo_inverse": []}
        for neurons, count in sizes:
            progress(f"growth with {what}: N = {neurons}, P = {count}")
            patterns = random_patterns(count, neurons)
            queries = noisy(patterns, 64)
            times = take_turns({rule.value: recalls(network_of(rule, patterns), queries) for rule in _FACTORED}, 9)
            for name, curve in curves.items():
                curve.append((neurons if what == "N" else count, times.middle(name)))
        rows = [
            Row(f"{name}: exponent of {what}, least squares", [slope(curve)], "", must=1.1)
            for name, curve in curves.items()
        ]
        for name, curve in curves.items():
            steps = [slope([a, b]) for a, b in pairwise(curve)]
            rows.append(Row(f"{name}: exponent of {what}, from one size to the next", steps, ""))
        yield f"Growth with {what}", rows, curves


_FACTORED = (Rule.HEBBIAN, Rule.PSEUDO_INVERSE)


def slope(curve: list[tuple[int, float]]) -> float:
    sizes, seconds = np.log(np.array(curve)).T
    return float(np.polyfit(sizes, seconds, 1)[0])


def second_of(network: Attractor, velocity: tuple[float, ...]) -> Call:
    activity = network.activity_at((0.0,) * network.dimensions, never)
    return lambda _: network.moved(activity, velocity, 1.0, never)


def attractors(progress: Progress) -> Iterator[Row]:
    """How long a second of an attractor's own time takes, the ring of 64 and the sheet of 64 x 64."""
    for spec, velocity, must in ((RingSpec(), (90.0,), 20.0), (SheetSpec(), (0.5, 0.5), None)):
        progress(f"a second of the {spec.family}")
        network = spec.empty()
        times = take_turns({"second": second_of(network, velocity)}, 9)
        milliseconds = [1000 * seconds for seconds in times.seconds["second"]]
        yield Row(f"a second of the {spec.family}'s time", milliseconds, "ms", must=must)


def memory(progress: Progress) -> Iterator[Row]:
    """Bytes of a loaded network that has recalled."""
    for neurons in (1000, 4096, 8192):
        progress(f"memory, N = {neurons}")
        patterns = random_patterns(round(LOAD * neurons), neurons)
        for rule in _FACTORED:
            network = network_of(rule, patterns)
            network.recall(Queries.of(patterns[0]), RecallOptions(seed=0), never)
            yield Row(f"{rule.value}, N = {neurons}", [network.nbytes / 2**20], "MiB")
        yield Row(f"float32 matrix, N = {neurons}", [neurons**2 * 4 / 2**20], "MiB")


def warm() -> float:
    """Seconds until everything is compiled, or read from where compiled code is kept."""
    began = time.perf_counter()
    families.warm()
    return time.perf_counter() - began
