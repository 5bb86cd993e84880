"""What is loaded stays loaded as long as it fits."""

from dataclasses import replace

import numpy as np
import pytest

from hopfield_service.core.interruption import never
from hopfield_service.core.network import Store
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.serving.cache import Loaded, NetworkCache
from hopfield_service.store.layout import Head

SPEC = PairwiseSpec(64)
NETWORK = SPEC.empty().apply(Store(np.zeros((1, 8), np.uint8), ("a",)), never)

# A network, and the objects around it.
ROOM = NETWORK.nbytes + 5000


def loaded(name: str, revision: int = 1) -> Loaded:
    return Loaded(Head(name, "uid", SPEC, revision, "commit", 1, 0, 0), NETWORK, 0)


def test_a_network_takes_at_least_the_bytes_of_its_patterns() -> None:
    assert NETWORK.nbytes >= 64 * len(NETWORK.stored)


def test_the_one_unused_for_longest_gives_way() -> None:
    cache = NetworkCache(2 * ROOM)
    cache.put(loaded("a"))
    cache.put(loaded("b"))
    cache.get("a")
    cache.put(loaded("c"))
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]


def test_the_one_last_used_stays_whatever_its_size() -> None:
    cache = NetworkCache(0)
    cache.put(loaded("a"))
    assert cache.get("a")
    cache.put(loaded("b"))
    assert (cache.get("a"), bool(cache.get("b"))) == (None, True)


def test_one_that_does_not_fit_is_kept_alone_and_said_so_once(caplog: pytest.LogCaptureFixture) -> None:
    cache = NetworkCache(ROOM // 2)
    cache.put(loaded("a"))
    cache.put(loaded("a", revision=2))
    assert cache.get("a")
    (record,) = caplog.records
    assert "memory 'a' takes" in record.getMessage()


def test_an_older_network_does_not_take_the_place_of_a_newer_one() -> None:
    cache = NetworkCache(2 * ROOM)
    cache.put(loaded("a", revision=2))
    cache.put(loaded("a", revision=1))
    found = cache.get("a")
    assert found is not None
    assert found.head.revision == 2


def test_to_look_at_one_is_not_to_use_it() -> None:
    cache = NetworkCache(2 * ROOM)
    cache.put(loaded("a"))
    cache.put(loaded("b"))
    cache.peek("a")
    cache.put(loaded("c"))
    assert cache.names() == ["b", "c"]


def test_a_newer_network_takes_the_place_of_the_older_one_of_its_memory() -> None:
    cache = NetworkCache(2 * ROOM)
    cache.put(loaded("a", revision=1))
    cache.put(loaded("b"))
    newer = loaded("a", revision=2)
    cache.put(replace(newer))
    found = cache.get("a")
    assert found is not None
    assert found.head.revision == 2
    assert cache.get("b")


def test_what_is_dropped_is_gone() -> None:
    cache = NetworkCache(1 << 20)
    cache.put(loaded("a"))
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a") is None
