"""What was acknowledged is there after a SIGKILL, and every recall is the same, bit for bit."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2

N = 60
RULES = {
    "hebbian": memory_pb2.LEARNING_RULE_HEBBIAN,
    "storkey": memory_pb2.LEARNING_RULE_STORKEY,
    "second-order": memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER,
    "pseudo_inverse": memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
    "perceptron": memory_pb2.LEARNING_RULE_PERCEPTRON,
}


def fill(wire: Wire) -> None:
    random = np.random.default_rng(2)
    for name, rule in RULES.items():
        patterns = np.where(random.random((9, N)) < 0.5, 1, -1)
        thresholds = random.normal(0, 0.01, N)
        made(wire, name, pairwise(N, rule=rule, thresholds=thresholds), signs(*patterns[:5].tolist()))
        # What comes after the snapshot that follows the first store is read from the log.
        for pattern in patterns[5:].tolist():
            wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(pattern)))
        wire.memory.ForgetPatterns(memory_service_pb2.ForgetPatternsRequest(name=name, labels=["1", "6"]))
        # Learnt anew once more, and then on: what is loaded begins with the snapshot of another spec.
        changed = pairwise(0, self_coupling=True, thresholds=2 * thresholds)
        wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name=name, spec=changed))
        wire.memory.StorePatterns(
            memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*patterns[1:2].tolist()))
        )


def answers(wire: Wire) -> list[bytes]:
    random = np.random.default_rng(3)
    queries = signs(*random.integers(-1, 2, (50, N)).tolist())
    found = []
    for name in RULES:
        for update in (recall_service_pb2.UPDATE_RULE_ASYNCHRONOUS, recall_service_pb2.UPDATE_RULE_SYNCHRONOUS):
            options = recall_service_pb2.RecallOptions(seed=2**64 - 9, update=update)
            request = recall_service_pb2.BatchRecallRequest(name=name, queries=queries, options=options)
            found.append(wire.recall.BatchRecall(request).SerializeToString(deterministic=True))
        found += [
            part.SerializeToString(deterministic=True)
            for part in wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
        ]
    return found


def valkeys_in(directory: Path) -> list[int]:
    """Processes of Valkey servers that keep their files below a directory."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "valkey-server" and (process.info["cwd"] or "").startswith(str(directory))
    ]


def test_recalls_are_the_same_after_a_sigkill_on_the_same_data_directory(
    tmp_path: Path, start_service: StartService
) -> None:
    data = tmp_path / "data"
    first = start_service(data_dir=str(data))
    with connected(first.address) as wire:
        fill(wire)
        before = answers(wire)
    first.kill()
    with connected(start_service(data_dir=str(data)).address) as wire:
        assert answers(wire) == before


def test_recalls_are_the_same_after_a_sigkill_of_the_service_on_the_same_redis(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    first = start_service(redis_url=valkey.url)
    with connected(first.address) as wire:
        fill(wire)
        before = answers(wire)
    first.kill()
    with connected(start_service(redis_url=valkey.url).address) as wire:
        assert answers(wire) == before


def test_recalls_are_the_same_after_a_sigkill_of_both(valkey: ValkeyProcess, start_service: StartService) -> None:
    first = start_service(redis_url=valkey.url)
    with connected(first.address) as wire:
        fill(wire)
        before = answers(wire)
    first.kill()
    valkey.kill()
    valkey.start()
    with connected(start_service(redis_url=valkey.url).address) as wire:
        assert answers(wire) == before


def test_a_second_replica_answers_as_the_first(valkey: ValkeyProcess, start_service: StartService) -> None:
    with (
        connected(start_service(redis_url=valkey.url).address) as one,
        connected(start_service(redis_url=valkey.url).address) as other,
    ):
        fill(one)
        assert answers(other) == answers(one)
        # Each then sees what the other changes.
        for wire, pattern in ((one, [1] * N), (other, [-1] * N)):
            wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name="hebbian", patterns=signs(pattern)))
            until(lambda: answers(other) == answers(one))


def test_five_sigkills_in_a_row_leave_one_valkey_and_no_litter(tmp_path: Path, start_service: StartService) -> None:
    data = tmp_path / "data"
    service: ServiceProcess | None = None
    for _ in range(5):
        service = start_service(data_dir=str(data))
        assert len(valkeys_in(data)) == 1
        service.kill()
    files = {path.name for path in data.rglob("*")}
    service = start_service(data_dir=str(data))
    assert len(valkeys_in(data)) == 1
    assert {path.name for path in data.rglob("*")} == files
    assert service.terminate() == 0
    assert valkeys_in(data) == []
    assert not list(data.rglob("*.sock"))


def test_sigterm_ends_with_status_0_and_what_was_stored_is_there_at_the_next_start(
    tmp_path: Path, start_service: StartService
) -> None:
    data = tmp_path / "data"
    service = start_service(data_dir=str(data))
    with connected(service.address) as wire:
        fill(wire)
        before = answers(wire)
    assert service.terminate() == 0
    assert "Traceback" not in service.log()
    with connected(start_service(data_dir=str(data)).address) as wire:
        assert answers(wire) == before


def test_a_second_service_on_the_same_data_directory_is_refused(tmp_path: Path, start_service: StartService) -> None:
    data = tmp_path / "data"
    start_service(data_dir=str(data))
    with pytest.raises(AssertionError, match=str(data)):
        start_service(data_dir=str(data))
