"""Modern Hopfield memories with both clients."""

import numpy as np
import pytest
from tests.client.asking import creation, update
from tests.client.conftest import Connect
from tests.processes import StartService

from hopfield.v1 import memory_pb2, patterns_pb2
from hopfield_client import Dense, HopfieldClient, InvalidArgument, Memory, Modern
from hopfield_client._client_calls import ClientCalls
from hopfield_client._memory_calls import MemoryCalls

RANDOM = np.random.default_rng(12)
PATTERNS = RANDOM.normal(size=(9, 4, 5))
LABELS = list("abcdefghi")
NOISY = PATTERNS + 0.1 * RANDOM.normal(size=PATTERNS.shape)


@pytest.fixture
def real(client: HopfieldClient, name: str) -> Memory:
    memory = client.create_memory(name, 20, model=Modern(beta=3.0), shape=(4, 5))
    memory.store(PATTERNS, LABELS)
    return memory


def test_it_recalls_arrays_of_real_numbers(real: Memory) -> None:
    answer = real.recall(NOISY[2])
    assert (answer.label, answer.match, answer.converged) == ("c", "pattern", True)
    assert answer.pattern.dtype == np.float32
    assert answer.pattern.shape == (4, 5)
    np.testing.assert_allclose(answer.pattern, PATTERNS[2], atol=0.05)
    assert next(iter(answer.attention)) == "c"
    assert len(answer.attention) == 8
    assert answer.attention["c"] > 0.99
    assert answer.overlap == pytest.approx(1, abs=1e-3)
    assert real.recall(NOISY[2], max_iterations=1).stop_reason == "iteration_limit"


def test_a_batch_goes_in_parts_as_small_as_the_server_has_memory_for(
    client: HopfieldClient, connect: Connect, start_service: StartService, name: str
) -> None:
    """The limits are those of compose.yaml; 62,500 queries of 16 numbers, what a message holds, take more."""
    small = start_service(
        max_bytes_in_flight="134217728",
        max_calls="200",
        max_message_bytes="4194304",
        max_neurons="2048",
        cache_bytes="50331648",
    )
    patterns = RANDOM.normal(size=(20, 16))
    labels = [f"pattern-{k:05}" for k in range(20)]
    queries = patterns[np.arange(100_000) % 20]
    batches = []
    for one in (connect(small.address, timeout=60.0), client):
        memory = one.create_memory(name, 16, model=Modern(beta=3.0))
        memory.store(patterns, labels)
        batches.append(memory.recall_batch(queries, seed=2**64 - 7))
        drawn = memory.recall_batch(queries).seeds
        assert (drawn - drawn[0] == np.arange(100_000, dtype=np.uint64)).all()
    in_small_parts, in_large_parts = batches
    assert len(in_small_parts) == 100_000
    for column in ("patterns", "energies", "iterations", "labels", "overlaps", "seeds", "attentions"):
        np.testing.assert_array_equal(getattr(in_small_parts, column), getattr(in_large_parts, column), strict=True)


def test_every_way_to_ask_gives_the_same(real: Memory) -> None:
    answer = real.recall(NOISY[2], seed=1)
    batch = real.recall_batch(NOISY, seed=1)
    assert batch.labels.tolist() == LABELS
    np.testing.assert_array_equal(batch.patterns[2], answer.pattern, strict=True)
    assert batch[2].attention == batch.attentions[2] == answer.attention
    parts = real.recall_batch(NOISY, seed=1, progress=lambda *_: None)
    np.testing.assert_array_equal(parts.patterns, batch.patterns, strict=True)
    streamed = list(real.recall_stream(NOISY, seed=1))
    assert [one.attention for one in streamed] == batch.attentions.tolist()
    trace = real.trace(NOISY[2], seed=1)
    steps = list(trace)
    np.testing.assert_array_equal(steps[0].pattern, NOISY[2].astype(np.float32), strict=True)
    np.testing.assert_array_equal(steps[-1].pattern, answer.pattern, strict=True)
    assert [step.energy for step in steps] == sorted((step.energy for step in steps), reverse=True)


def test_stored_patterns_come_back_as_they_are(real: Memory) -> None:
    np.testing.assert_array_equal(real.pattern("d"), PATTERNS[3].astype(np.float32), strict=True)
    assert [label for label, _ in real.patterns()] == LABELS
    first, second = real.nearest(NOISY[3], k=2, include_patterns=True)
    assert first.label == "d"
    assert first.overlap > second.overlap
    np.testing.assert_array_equal(first.pattern, PATTERNS[3].astype(np.float32), strict=True)


def test_it_says_what_it_is(real: Memory) -> None:
    info = real.info()
    assert (info.family, info.model, info.coding, info.rule) == ("modern", Modern(beta=3.0), "real", None)
    assert info.capacity is None
    assert real.coding == "real"
    assert real.update(model=Modern(beta=0.5, tolerance=0.01)).model == Modern(beta=0.5, tolerance=0.01)
    with pytest.raises(InvalidArgument, match=r"^model: family must be modern"):
        real.update(model=Dense(degree=3))
    assert "stable" in str(real.diagnose())


def test_a_handle_that_was_told_nothing_knows_real_numbers_when_it_sees_them(
    client: HopfieldClient, real: Memory
) -> None:
    handle = client.memory(real.name)
    assert handle.recall(NOISY[1]).label == "b"
    assert client.memory(real.name, coding="real").recall(np.ones(20)).label is not None


@pytest.mark.parametrize("first", [-1.0, 0.0, 1.0], ids=["signs", "zeros and ones", "ones"])
def test_a_handle_that_was_told_nothing_says_what_to_tell_it(
    client: HopfieldClient, real: Memory, first: float
) -> None:
    handle = client.memory(real.name)
    values = np.ones((3, 20))
    values[:, 0] = first
    for argument, refused_call in (
        ("query", lambda: handle.recall(values[0])),
        ("query", lambda: next(handle.trace(values[0]))),
        ("queries", lambda: handle.recall_batch(values)),
        ("queries", lambda: list(handle.recall_stream(values))),
        ("query", lambda: handle.nearest(values[0])),
        ("patterns", lambda: handle.store(values)),
    ):
        with pytest.raises(
            InvalidArgument,
            match=rf"^{argument} looks two-valued, and the memory holds real numbers: .*\(name, coding='real'\)$",
        ) as refused:
            refused_call()
        assert refused.value.field == argument


def test_real_numbers_are_nothing_to_a_memory_of_two_values(client: HopfieldClient, name: str) -> None:
    client.create_memory(name, 20)
    with pytest.raises(
        InvalidArgument, match="query holds real numbers, and the neurons of the memory have two values"
    ):
        client.memory(name).recall(NOISY[1])


def test_its_inverse_temperature_is_its_models(real: Memory) -> None:
    for ask in (real.recall, lambda query, **how: next(real.trace(query, **how))):
        with pytest.raises(InvalidArgument, match="that of a Modern memory is its model's") as refused:
            ask(NOISY[0], beta=2.0)
        assert refused.value.field == "beta"


def test_nothing_stored_has_no_attention(client: HopfieldClient, name: str) -> None:
    answer = client.create_memory(name, 2, model=Modern(beta=1)).recall([0.5, 2])
    assert (answer.match, answer.label, answer.attention) == ("none", None, {})
    assert answer.pattern.tolist() == [0.5, 2]


@pytest.mark.parametrize("options", [{"update": "synchronous"}, {"tie": "plus"}, {"clamp": True}], ids=str)
def test_options_that_mean_nothing_are_refused(real: Memory, options: dict[str, object]) -> None:
    (field,) = options
    with pytest.raises(InvalidArgument, match="must not be set for a modern memory") as refused:
        real.recall(NOISY[0], **options)  # type: ignore[arg-type]
    assert refused.value.field == field


# Before anything is sent


def test_real_numbers_leave_as_singles(calls: ClientCalls) -> None:
    call = calls.memory("m", (2,), "real").store(
        np.array([[0.5, 2], [1, -1]]), None, replace=False, expected_revision=None
    )
    expected = np.array([0.5, 2, 1, -1], "<f4").tobytes()
    assert call.request.patterns == patterns_pb2.Patterns(
        count=2, neurons=2, floats=expected, coding=patterns_pb2.CODING_REAL
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.5, np.nan], r"query\[1\] is nan, which is no finite float32"),
        ([0.5, 1e39], r"query\[1\] is 1e\+39, which is no finite float32"),
        ([0.5, 1, 2], "makes 3 neurons a pattern; the memory has 2"),
        (np.ma.masked_array([0.5, 1], [True, False]), r"query\[0\] is masked: real numbers are known in every neuron"),
        (["a", "b"], "a pattern is finite numbers"),
    ],
    ids=str,
)
def test_what_are_no_real_numbers_is_refused(calls: ClientCalls, value: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        calls.memory("m", (2,), "real").nearest(value, 1, include_patterns=False)  # type: ignore[arg-type]


def test_a_modern_memory_is_made_with_its_parameters(calls: ClientCalls, memory: MemoryCalls) -> None:
    spec = creation(calls, model=Modern(beta=2, tolerance=0)).request.spec
    assert spec == memory_pb2.MemorySpec(modern=memory_pb2.ModernSpec(neurons=4, beta=2, tolerance=0))
    mask = update(memory, model=Modern(beta=2)).request.update_mask
    assert list(mask.paths) == ["modern.beta", "modern.tolerance"]
    with pytest.raises(InvalidArgument, match="coding is 'real'; it must be one of 'bipolar', 'binary'"):
        creation(calls, coding="real")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beta": 0}, "beta is 0; it must be 1e-06 to"),
        ({"beta": 1e10}, "beta is 10000000000.0; it must be 1e-06 to 1e\\+09"),
        ({"beta": "2"}, "beta is '2'; it must be a number"),
        ({"beta": 1, "tolerance": -1}, "tolerance is -1.0; it must be finite and at least 0"),
    ],
    ids=str,
)
def test_a_modern_model_has_a_beta_and_a_tolerance(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Modern(**parameters)  # type: ignore[arg-type]
    assert str(Modern(beta=8)) == "modern, beta 8"
