"""The figures of the science page: what the theory in them says, and that the quick ones can be drawn."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from docs.figures import nets, theory
from docs.figures.annealing import glass, ground_energy
from docs.figures.drawing import save
from PIL import Image
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient


@pytest.fixture
def client(server: ServiceProcess) -> Iterator[HopfieldClient]:
    with HopfieldClient(server.address, timeout=60.0) as client:
        yield client


def test_the_retrieval_states_of_amit_gutfreund_and_sompolinsky() -> None:
    curve = theory.retrieval()
    assert curve.capacity == pytest.approx(0.1379, abs=1e-4)
    assert curve.overlap[-1] == pytest.approx(0.967, abs=1e-3)
    for load, overlap in ((0.05, 0.99999), (0.08, 0.99956), (0.10, 0.99800), (0.12, 0.99322), (0.13, 0.98721)):
        assert curve.at(load) == pytest.approx(overlap, abs=1e-5)


def test_the_overlap_at_a_temperature() -> None:
    for temperature, overlap in ((0.2, 0.9999), (0.3, 0.9974), (0.4, 0.9856), (0.5, 0.9575), (1, 0), (1.1, 0)):
        assert theory.mattis(temperature) == pytest.approx(overlap, abs=1e-4)
    # At the lowest temperatures the theory of finite ones is that of zero.
    assert theory.retrieval_at(0.02, 0.1) == pytest.approx(theory.retrieval().at(0.1), abs=2e-3)
    assert theory.retrieval_at(0.6, 0.05) == 0


def test_the_stable_patterns_of_krotov_and_hopfield() -> None:
    assert [round(theory.stable(ratio, 60), 3) for ratio in (0.5, 1, 4)] == [0.998, 0.881, 0.009]
    # Whatever it is in detail, K_max is where about one pattern in so many is lost.
    assert all(0.85 < theory.stable(1, neurons) < 0.95 for neurons in (20, 100, 1000, 10_000))


def test_the_ground_state_of_a_glass() -> None:
    weights = glass(np.random.default_rng(1))[:8, :8]
    states = nets.signs((np.arange(256)[:, np.newaxis] >> np.arange(8)) & 1)
    energies = -np.einsum("ki,ij,kj->k", states, weights, states) / 2
    assert ground_energy(weights) == pytest.approx(energies.min())


@pytest.mark.filterwarnings("ignore::hopfield_client.CapacityWarning")
@pytest.mark.parametrize("name", ["trace", "completion", "coding", "cycle", "landscape"])
def test_draws(client: HopfieldClient, tmp_path: Path, name: str) -> None:
    told: list[tuple[int, int]] = []
    drawn = import_module(f"docs.figures.{name}").draw(client, lambda done, total: told.append((done, total)))
    save(drawn.figure, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width > 900
    assert told[-1][0] == told[-1][1]
    assert not list(client.list_memories("figure-"))
