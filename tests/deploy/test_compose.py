"""The compose file, built and started for real. Run by `make test-deploy`, which needs a Docker engine on this machine.

Prints what it measured: the size of the image, and the time to SERVING.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hopfield_client import HopfieldClient, HopfieldError

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PORT = os.environ.get("HOPFIELD_PORT", "50051")
ADDRESS = f"localhost:{PORT}"
GRACE_SECONDS = 20


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def compose(*arguments: str) -> str:
    return docker("compose", "--file", "deploy/compose.yaml", *arguments)


def inspected(service: str) -> dict[str, Any]:
    (container,) = compose("ps", "--all", "--quiet", service).split()
    described: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return described[0]


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[None]:
    compose("down", "--volumes")
    compose("build")
    started = time.monotonic()
    compose("up", "--wait")
    print(f"\nfrom `up` to every container healthy: {time.monotonic() - started:.1f} s")
    (serving,) = re.findall(r"serving after [0-9.]+ s", compose("logs", "hopfield"))
    print(f"the service, started anew: {serving}")
    size = int(docker("image", "inspect", "--format", "{{.Size}}", "hopfield-recall"))
    base = int(docker("image", "inspect", "--format", "{{.Size}}", "python:3.11-slim-bookworm"))
    print(f"image: {size / 1e6:.0f} MB, of which {base / 1e6:.0f} MB are its base")
    yield
    compose("down", "--volumes", "--rmi", "local")


def store_digits() -> None:
    patterns = np.random.default_rng(0).random((10, 256)) < 0.5
    with HopfieldClient(ADDRESS) as client:
        for rule in ("hebbian", "pseudo_inverse"):
            memory = client.create_memory(f"compose-{rule.replace('_', '-')}", neurons=256, rule=rule, exist_ok=True)
            memory.store(patterns, labels=[str(k) for k in range(10)], replace=True)


def recalled() -> list[object]:
    queries = np.random.default_rng(1).random((50, 256)) < 0.5
    answers: list[object] = []
    with HopfieldClient(ADDRESS) as client:
        for name in ("compose-hebbian", "compose-pseudo-inverse"):
            batch = client.memory(name).recall_batch(queries, seed=3)
            answers.append(
                [batch.patterns.tobytes(), batch.energies.tobytes(), batch.iterations.tobytes(), batch.revision]
            )
    return answers


def answers_again() -> bool:
    try:
        recalled()
    except HopfieldError:
        return False
    return True


def test_the_client_on_the_host_stores_and_recalls() -> None:
    store_digits()
    assert len(recalled()) == 2


def test_the_port_is_published_on_this_machine_alone() -> None:
    assert inspected("hopfield")["HostConfig"]["PortBindings"] == {
        "50051/tcp": [{"HostIp": "127.0.0.1", "HostPort": PORT}]
    }
    assert not inspected("redis")["HostConfig"]["PortBindings"]


def test_the_service_runs_read_only_without_capabilities_as_nobody_special_in_512_mib() -> None:
    host = inspected("hopfield")["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Memory"]) == (True, ["ALL"], 512 << 20)
    status = compose("exec", "hopfield", "cat", "/proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["10001"] * 4
    assert {fields[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    with pytest.raises(AssertionError, match="Read-only file system"):
        compose("exec", "hopfield", "touch", "/opt/hopfield/here")


def test_the_kernels_of_the_image_are_used_and_none_is_compiled_at_start() -> None:
    assert int(compose("exec", "hopfield", "sh", "-c", "find /opt/hopfield/kernels -type f | wc -l")) > 0
    assert "kernels, " not in compose("logs", "hopfield")


def test_the_service_stays_below_its_memory_with_the_largest_memories_it_allows() -> None:
    random = np.random.default_rng(0)
    with HopfieldClient(ADDRESS, timeout=120) as client:
        neurons = client.server_info().max_neurons
        for rule in ("hebbian", "pseudo_inverse"):
            for k in range(3):
                memory = client.create_memory(f"large-{rule.replace('_', '-')}-{k}", neurons=neurons, rule=rule)
                memory.store(random.random((200, neurons)) < 0.5)
                memory.recall_batch(random.random((200, neurons)) < 0.5)
        weights = random.normal(size=(neurons, neurons))
        client.import_weights("large-imported", weights + weights.T).recall(random.random(neurons) < 0.5)
        for info in list(client.list_memories("large-")):
            client.delete_memory(info.name)
    state = inspected("hopfield")
    assert (state["State"]["OOMKilled"], state["RestartCount"]) == (False, 0)
    peak = compose("exec", "hopfield", "sh", "-c", "grep VmHWM /proc/1/status")
    print(f"\npeak memory of the service with {neurons} neurons: {peak.split()[1]} kB of 512 MiB")


def test_both_processes_killed_come_back_by_themselves_with_every_memory_and_the_same_recalls() -> None:
    store_digits()
    before = recalled()
    restarts = {service: inspected(service)["RestartCount"] for service in ("hopfield", "redis")}
    started = time.monotonic()
    for service in ("redis", "hopfield"):
        os.kill(inspected(service)["State"]["Pid"], signal.SIGKILL)
    until(lambda: all(inspected(service)["RestartCount"] > count for service, count in restarts.items()), 60)
    until(answers_again, 60)
    print(f"\nfrom SIGKILL of both to the first recall: {time.monotonic() - started:.1f} s")
    assert recalled() == before
    until(lambda: inspected("hopfield")["State"]["Health"]["Status"] == "healthy", 60)


def test_down_ends_within_the_grace_period_and_the_service_with_status_0() -> None:
    started = time.monotonic()
    compose("stop")
    took = time.monotonic() - started
    state = inspected("hopfield")["State"]
    print(f"\nstopped in {took:.1f} s")
    assert took < GRACE_SECONDS
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert "Traceback" not in compose("logs", "hopfield")
