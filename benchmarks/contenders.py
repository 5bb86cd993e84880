"""What recall is measured beside: numpy, and other packages where they are installed (`pip install 'hopfield-recall[bench]'`)."""

import importlib
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import Call

Signs = NDArray[np.int8]
Floats = NDArray[np.float32]


def installed(name: str) -> ModuleType | None:
    """A package, or None where it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def hebb(patterns: Signs) -> Floats:
    """W of Hebb's rule, float32, by numpy."""
    signs = patterns.astype(np.float32)
    weights: Floats = signs.T @ signs / np.float32(patterns.shape[1])
    np.fill_diagonal(weights, 0)
    return weights


def numpy_loop(weights: Floats, queries: Signs) -> Call:
    """`s = sign(W s)` until nothing changes: synchronous, float32, and what one writes first."""
    states = queries.astype(np.float32)

    def run(k: int) -> object:
        state = states[k % len(states)]
        for _ in range(100):
            following = np.sign(weights @ state)
            if np.array_equal(following, state):
                break
            state = following
        return state

    return run


def numpy_product(weights: Floats, queries: Signs) -> Call:
    """One product of matrix and vector: to read the weights once."""
    states = queries.astype(np.float32)
    return lambda k: weights @ states[k % len(states)]


def numpy_softmax(patterns: Floats, beta: float, queries: Floats, iterations: int) -> Call:
    """`softmax(beta Q X') X` so many times, of all queries at once, in float64: what one writes first."""
    stored, first = patterns.astype(np.float64), queries.astype(np.float64)

    def run(_: int) -> object:
        states = first
        for _iteration in range(iterations):
            scores = beta * states @ stored.T
            scores -= scores.max(axis=1, keepdims=True)
            weights = np.exp(scores)
            weights /= weights.sum(axis=1, keepdims=True)
            states = weights @ stored
        return states

    return run


def hopfieldkit(patterns: Signs, queries: Signs) -> Call | None:
    """The fastest asynchronous peer, random order."""
    package = installed("hopfieldkit")
    if package is None:
        return None
    network = package.HopfieldNetwork(patterns.shape[1])
    network.weights = hebb(patterns).astype(np.float64)
    states = queries.astype(np.float64)
    return lambda k: network.recall(states[k % len(states)], seed=k)


def torchhd(patterns: Signs, queries: Signs) -> Call | None:
    """torchhd's Hopfield memory read until nothing changes, all queries of a call at once: (calls, batch, N)."""
    torch, package = installed("torch"), installed("torchhd")
    if torch is None or package is None:
        return None
    torch.set_num_threads(1)
    memory: Any = package.memory.Hopfield(patterns.shape[1])
    memory.write(torch.from_numpy(patterns.astype(np.float32)))
    states = torch.from_numpy(queries.astype(np.float32))

    def run(k: int) -> object:
        with torch.no_grad():
            state = states[k % len(states)]
            for _ in range(100):
                following = memory.read(state).sign()
                if torch.equal(following, state):
                    break
                state = following
            return state

    return run


def faiss(packed: NDArray[np.uint8], queries: NDArray[np.uint8]) -> Call | None:
    """FAISS's nearest pattern by Hamming distance: no recall, but what it takes to look at the patterns."""
    package = installed("faiss")
    if package is None:
        return None
    package.omp_set_num_threads(1)
    index = package.IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    return lambda k: index.search(queries[k % len(queries)][np.newaxis], 1)
