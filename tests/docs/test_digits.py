"""What the page on families says of all distinct digits: how many neighbours there are, and what an exponential memory makes of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hopfield_client.demo.digits import Images, corrupted, distinct_digits
from hopfield_service.core.dense import DenseNetwork, DenseSpec
from hopfield_service.core.interruption import never
from hopfield_service.core.network import Store
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.patterns import Queries, pack, unpack

# As docs/figures/many_digits.py stores and asks them.
SEED, NOISE = 1, 0.1
EXPONENTIAL = DenseSpec(64, exponential=True)


def signs(images: Images) -> NDArray[np.int8]:
    return np.where(images.reshape(len(images), -1), 1, -1).astype(np.int8)


def distances(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.int64]:
    """In pixels, of each to each."""
    return (64 - first.astype(np.int64) @ second.T.astype(np.int64)) // 2


def holding(spec: DenseSpec, patterns: NDArray[np.int8]) -> DenseNetwork:
    network = spec.empty().apply(Store(pack(patterns), tuple(map(str, range(len(patterns))))), never)
    assert isinstance(network, DenseNetwork)
    return network


def images_and_queries() -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    images = np.random.default_rng(SEED).permutation(distinct_digits())
    return signs(images), signs(corrupted(images, NOISE, SEED))


def under_the_steepest(patterns: NDArray[np.int8], queries: NDArray[np.int8]) -> NDArray[np.int8]:
    """Where queries end if the images that are nearest in the other pixels decide alone, by majority, as F grows ever steeper."""
    states = queries.copy()
    overlaps = states.astype(np.int64) @ patterns.T
    random = np.random.default_rng(SEED)
    settled = False
    while not settled:
        before = states.copy()
        for i in random.permutation(64):
            of_others = overlaps - np.outer(states[:, i], patterns[:, i])
            nearest = of_others == of_others.max(axis=1, keepdims=True)
            votes = np.sign(nearest @ patterns[:, i].astype(np.int64))
            after = np.where(votes == 0, states[:, i], votes).astype(np.int8)
            overlaps += np.outer(after - states[:, i], patterns[:, i])
            states[:, i] = after
        settled = np.array_equal(states, before)
    return states


def test_the_steepest_function_there_is_falls_short_of_a_search_too() -> None:
    patterns, queries = images_and_queries()
    found = (under_the_steepest(patterns, queries) == patterns).all(axis=1)
    searched = distances(queries, patterns).argmin(axis=1) == np.arange(len(patterns))
    assert (round(found.mean(), 3), round(searched.mean(), 3)) == (0.826, 0.871)


def test_a_query_ends_in_the_nearest_image_wherever_that_leads_by_two_pixels() -> None:
    patterns, queries = images_and_queries()
    answers = holding(EXPONENTIAL, patterns).recall_batch(Queries.of(queries), RecallOptions(seed=SEED), never)
    found = np.concatenate([unpack(answer.bits, 64) for answer in answers])
    apart = distances(queries, patterns)
    nearest, (first, second) = apart.argmin(axis=1), np.sort(apart, axis=1)[:, :2].T
    ends_there = (found == patterns[nearest]).all(axis=1)
    by_two, by_one = second - first >= 2, second - first == 1
    assert (by_two.sum(), ends_there[by_two].sum()) == (952, 952)
    assert (by_one.sum(), ends_there[by_one].sum()) == (548, 217)


@pytest.mark.parametrize("spec", [DenseSpec(64, 3), DenseSpec(64, 30), EXPONENTIAL], ids=lambda spec: spec.interaction)
def test_two_images_that_differ_in_one_pixel_are_a_tie_for_any_function(spec: DenseSpec) -> None:
    patterns = signs(distinct_digits())
    apart = distances(patterns, patterns)
    pairs = np.argwhere(np.triu(apart == 1))
    assert len(np.unique(pairs)) == 250
    for pair in pairs[::10]:
        stability = holding(spec, patterns[pair]).stability(never)
        assert stability is not None
        assert (stability.marginal_count, stability.smallest_margin) == (2, 0)
