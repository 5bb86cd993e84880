"""Dense memories with both clients."""

import numpy as np
import pytest
from tests.client.asking import creation, update

from hopfield.v1 import memory_pb2
from hopfield_client import CapacityWarning, Dense, FailedPrecondition, HopfieldClient, InvalidArgument
from hopfield_client._client_calls import ClientCalls
from hopfield_client._memory_calls import MemoryCalls

N = 36
PATTERNS = np.random.default_rng(8).random((50, 6, 6)) < 0.5
LABELS = [f"pattern {k}" for k in range(50)]


def corrupted(pattern: np.ndarray, count: int = 4) -> np.ndarray:
    noisy = pattern.copy()
    noisy.ravel()[np.random.default_rng(1).permutation(N)[:count]] ^= True
    return noisy


@pytest.mark.parametrize("model", [Dense(degree=5), Dense(exponential=True)], ids=str)
def test_it_recalls_as_any_memory_does(client: HopfieldClient, name: str, model: Dense) -> None:
    memory = client.create_memory(name, N, model=model, shape=(6, 6))
    memory.store(PATTERNS, LABELS)
    noisy = corrupted(PATTERNS[9])
    answer = memory.recall(noisy, seed=5)
    np.testing.assert_array_equal(answer.pattern, PATTERNS[9], strict=True)
    assert (answer.label, answer.match, answer.overlap, answer.converged) == ("pattern 9", "pattern", 1.0, True)
    assert answer.energy < answer.initial_energy

    batch = memory.recall_batch(np.stack([corrupted(pattern) for pattern in PATTERNS]), seed=1)
    assert (batch.matches == "pattern").all()
    assert batch.labels.tolist() == LABELS
    (streamed,) = memory.recall_stream([noisy], seed=5)
    assert (streamed.energy, streamed.label) == (answer.energy, "pattern 9")
    trace = memory.trace(noisy, seed=5)
    energies = [step.energy for step in trace]
    assert energies[0] == answer.initial_energy
    assert energies[-1] == answer.energy
    assert energies == sorted(energies, reverse=True)
    (nearest,) = memory.nearest(noisy)
    assert nearest.label == "pattern 9"

    half = np.ma.masked_array(PATTERNS[3], np.arange(N).reshape(6, 6) >= 26)
    completed = memory.recall(half, clamp=True)
    np.testing.assert_array_equal(completed.pattern, PATTERNS[3])


def test_it_says_what_it_is(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, model=Dense(degree=3))
    info = memory.info()
    assert (info.model, info.rule, info.normalization, info.coding, info.thresholds) == (
        Dense(degree=3),
        None,
        None,
        "bipolar",
        None,
    )
    assert info.capacity == pytest.approx(N / (6 * np.log(N)))
    assert str(info.model) == "dense, degree 3"
    assert client.create_memory(f"{name}.classical", N).info().model is None
    assert client.create_memory(name, N, model=Dense(degree=3), exist_ok=True).name == name


def test_its_model_can_be_changed(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, model=Dense(degree=2), shape=(6, 6))
    with pytest.warns(CapacityWarning, match="a dense memory of degree 2 holds"):
        memory.store(PATTERNS, LABELS)
    assert memory.recall(PATTERNS[0]).match == "spurious"
    verdict = memory.diagnose().verdict
    assert verdict.endswith("would hold all 50")
    info = memory.update(model=Dense(exponential=True))
    assert (info.model, info.revision) == (Dense(exponential=True), 2)
    assert memory.recall(PATTERNS[0]).match == "pattern"
    with pytest.raises(InvalidArgument, match=r"^rule: family must be dense") as refused:
        memory.update(rule="storkey")
    assert refused.value.field == "rule"


def test_its_diagnosis_has_no_weights(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, model=Dense(exponential=True), shape=(6, 6))
    memory.store(PATTERNS)
    found = memory.diagnose()
    assert (found.weights, found.stable_share) == (None, 1.0)
    assert "weight" not in str(found)
    with pytest.raises(FailedPrecondition, match="family dense and has no weights") as refused:
        memory.weights()
    assert refused.value.reason == "NO_WEIGHTS"


# Before anything is sent


def test_a_model_takes_the_place_of_the_classical_parameters(calls: ClientCalls, memory: MemoryCalls) -> None:
    spec = creation(calls, model=Dense(degree=3)).request.spec
    assert spec == memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(neurons=4, degree=3))
    request = update(memory, model=Dense(exponential=True)).request
    assert request.spec == memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(exponential=True))
    assert list(request.update_mask.paths) == ["dense.degree", "dense.exponential"]


@pytest.mark.parametrize(
    "parameter",
    [
        {"rule": "storkey"},
        {"normalization": "none"},
        {"thresholds": [0, 0, 0, 0]},
        {"self_coupling": True},
        {"coding": "binary"},
        {"kappa": 0.5},
        {"max_sweeps": 5},
    ],
    ids=str,
)
def test_a_model_does_not_have_them(calls: ClientCalls, memory: MemoryCalls, parameter: dict[str, object]) -> None:
    (field,) = parameter
    with pytest.raises(InvalidArgument, match=f"{field} is given, which a memory of Dense") as refused:
        creation(calls, model=Dense(degree=3), **parameter)
    assert refused.value.field == field
    if field != "coding":
        with pytest.raises(InvalidArgument, match=f"{field} is given"):
            update(memory, model=Dense(degree=3), **parameter)


def test_a_model_is_one(calls: ClientCalls) -> None:
    with pytest.raises(
        InvalidArgument, match="model is 'dense'; it must be one of Dense, Modern, Ring, Sheet, or None"
    ) as refused:
        creation(calls, model="dense")
    assert refused.value.field == "model"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "either degree= or exponential=True"),
        ({"degree": 3, "exponential": True}, "either degree= or exponential=True"),
        ({"degree": 1}, "degree is 1; it must be at least 2"),
        ({"degree": 31}, "degree is 31; it must be at most 30"),
        ({"degree": 2.5}, r"degree is 2\.5; it must be an integer"),
        ({"exponential": 1}, "exponential is 1; it must be True or False"),
    ],
    ids=str,
)
def test_a_dense_model_is_of_a_degree_or_exponential(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Dense(**parameters)  # type: ignore[arg-type]
