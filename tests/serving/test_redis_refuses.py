"""Redis answers and refuses: health says so, recalls go on, and the service follows its Redis when that changes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.processes import ServiceProcess, StartService, ValkeyProcess, free_port
from tests.replicas import random_patterns, recall, refused, store
from tests.store.forwarding import Forwarding
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise

from hopfield.v1 import memory_service_pb2
from hopfield_client import AsyncHopfieldClient, RetryConfig

N = 40
A, B, C = random_patterns(3, N)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
# docs/storage.md.
LEAST_RIGHTS = [
    *("~hopfield:names", "~hopfield:{*}:*", "&hopfield:commits"),
    *("+del", "+evalsha", "+exists", "+expire", "+get", "+hdel", "+hget", "+hgetall", "+hincrby", "+hmget", "+hset"),
    *("+info", "+persist", "+ping", "+publish", "+rename", "+scan", "+script|load", "+set", "+subscribe", "+ttl"),
    *("+unlink", "+wait", "+xadd", "+xrange", "+xtrim", "+zadd", "+zrangebylex", "+zrem"),
]


def status(wire: Wire, service: str = "hopfield.v1.MemoryService") -> int:
    stub = health_pb2_grpc.HealthStub(wire.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=service)).status)


def healthcheck(service: ServiceProcess, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hopfield_service", "healthcheck", *arguments],
        env={**os.environ, "HOPFIELD_LISTEN": service.address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def moody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyProcess]:
    process = ValkeyProcess(tmp_path_factory.mktemp("valkey"))
    yield process
    process.kill()


@pytest.fixture(scope="module")
def served(moody: ValkeyProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with moody.client() as redis:
        redis.execute_command("ACL", "SETUSER", "alice", "on", ">sesame", "~*", "&*", "+@all")
    url = moody.url.replace("redis://", "redis://alice:sesame@")
    with ServiceProcess(tmp_path_factory.mktemp("service"), {"HOPFIELD_REDIS_URL": url}) as process:
        yield process


class TestARedisThatTakesNoChanges:
    """Health says so as long as it lasts, and the log says why, once."""

    @pytest.mark.parametrize(
        ("refuse", "accept", "reason", "code"),
        [
            (
                ("CONFIG", "SET", "min-replicas-to-write", "1"),
                ("CONFIG", "SET", "min-replicas-to-write", "0"),
                "NOREPLICAS",
                grpc.StatusCode.UNAVAILABLE,
            ),
            (
                ("CONFIG", "SET", "maxmemory", "1"),
                ("CONFIG", "SET", "maxmemory", "0"),
                "OOM",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            ),
            (
                ("ACL", "SETUSER", "alice", "-xadd"),
                ("ACL", "SETUSER", "alice", "+@all"),
                "may not run XADD",
                grpc.StatusCode.UNAVAILABLE,
            ),
            (
                ("REPLICAOF", "127.0.0.1", "1"),
                ("REPLICAOF", "NO", "ONE"),
                "READONLY",
                grpc.StatusCode.UNAVAILABLE,
            ),
        ],
        ids=["too few replicas", "full", "rights", "replica"],
    )
    def test_is_told(
        self,
        moody: ValkeyProcess,
        served: ServiceProcess,
        name: str,
        refuse: tuple[str, ...],
        accept: tuple[str, ...],
        reason: str,
        code: grpc.StatusCode,
    ) -> None:
        with connected(served.address) as wire, moody.client() as redis:
            made(wire, name, pairwise(N))
            store(wire, name, A)
            said = len(served.log())
            redis.execute_command(*refuse)
            until(lambda: status(wire) == NOT_SERVING)
            assert status(wire, "") == SERVING
            assert recall(wire, name, A).revision == 1
            assert refused(store, wire, name, B).code == code
            redis.execute_command(*accept)
            until(lambda: status(wire) == SERVING)
            assert store(wire, name, C).revision == 2
        log = served.log()[said:]
        (error,) = [line for line in log.splitlines() if " ERROR " in line and "Redis takes no changes" in line]
        assert reason in error
        assert log.count("Redis takes changes again") == 1
        assert "alice" not in log
        assert "sesame" not in log

    def test_is_what_the_health_check_of_writes_asks_for(self, moody: ValkeyProcess, served: ServiceProcess) -> None:
        with connected(served.address) as wire, moody.client() as redis:
            assert healthcheck(served, "--writes") == (0, "SERVING\n")
            redis.config_set("min-replicas-to-write", 1)
            until(lambda: status(wire) == NOT_SERVING)
            assert healthcheck(served, "--writes") == (1, "NOT_SERVING\n")
            assert healthcheck(served) == (0, "SERVING\n")
            redis.config_set("min-replicas-to-write", 0)
            until(lambda: status(wire) == SERVING)


def start_of(url: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A start of the service that is to end by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOPFIELD_")}
    return subprocess.run(
        [sys.executable, "-m", "hopfield_service", "--listen", "127.0.0.1:0"],
        env={**environment, "HOPFIELD_REDIS_URL": url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestARedisThatNoMemoriesCanBeKeptIn:
    """Ends the start with status 1 and one line that says why, without user and password."""

    def assert_ended(self, done: subprocess.CompletedProcess[str], valkey: ValkeyProcess, why: str) -> None:
        assert (done.returncode, done.stdout) == (1, "")
        where = f"redis://127.0.0.1:{valkey.port}"
        assert f"\nhopfield-server: no memories can be kept in {where}" in f"\n{done.stderr}"
        assert why in done.stderr.splitlines()[-1]
        assert "alice" not in done.stderr
        assert "sesame" not in done.stderr

    def test_because_of_the_password(self, valkey: ValkeyProcess, tmp_path: Path) -> None:
        url = valkey.url.replace("redis://", "redis://alice:sesame@")
        self.assert_ended(start_of(url, tmp_path), valkey, "WRONGPASS")

    def test_because_it_is_a_replica(self, valkey: ValkeyProcess, tmp_path: Path) -> None:
        with valkey.client() as redis:
            redis.replicaof("127.0.0.1", "1")
        self.assert_ended(start_of(valkey.url, tmp_path), valkey, "it is a replica")

    def test_because_it_is_a_node_of_a_cluster(self, tmp_path: Path) -> None:
        node = ValkeyProcess(tmp_path / "node", "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
        try:
            self.assert_ended(start_of(node.url, tmp_path), node, "it is a node of a Redis Cluster")
        finally:
            node.kill()


def test_a_user_with_the_least_rights_can_do_all(
    valkey: ValkeyProcess, start_service: StartService, tmp_path: Path
) -> None:
    with valkey.client() as redis:
        redis.execute_command("ACL", "SETUSER", "hopfield", "reset", "on", ">sesame", *LEAST_RIGHTS)
    (tmp_path / "password").write_text("sesame\n")
    url = valkey.url.replace("redis://", "redis://hopfield@")
    service = start_service(redis_url=url, redis_password_file=str(tmp_path / "password"))
    with connected(service.address) as wire:
        made(wire, "m", pairwise(N))
        store(wire, "m", A, B)
        wire.memory.ForgetPatterns(memory_service_pb2.ForgetPatternsRequest(name="m", labels=["0"]))
        for k in range(60):
            # Enough of a log for a snapshot and a compaction.
            spec = pairwise(0, thresholds=[k / 1000] * N)
            wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="m", spec=spec))
        assert recall(wire, "m", B).revision > 0
        assert len(wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories) == 1
        wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
        assert status(wire) == SERVING
    assert "NOPERM" not in service.log()
    assert " ERROR " not in service.log()


def test_a_failover_at_one_address_is_followed(
    valkey: ValkeyProcess, start_service: StartService, tmp_path: Path
) -> None:
    replica = ValkeyProcess(tmp_path / "replica", "--replicaof", f"127.0.0.1 {valkey.port}")
    try:
        with Forwarding(valkey.port) as address, valkey.client() as old, replica.client() as new:
            until(lambda: old.info("replication").get("slave0", {}).get("state") == "online")
            service = start_service(redis_url=f"redis://127.0.0.1:{address.port}/0", redis_timeout="10")
            with connected(service.address) as wire:
                made(wire, "m", pairwise(N))
                store(wire, "m", A)
                # Several connections, each of which would have to fail once.
                created(service, 50)
                until(lambda: new.zcard("hopfield:names") == 51)
                new.replicaof("NO", "ONE")
                address.target = replica.port
                old.replicaof("127.0.0.1", replica.port)
                # The old connections stay open. A caller who never repeats a call sees nothing of it.
                assert store(wire, "m", B).revision == 2
                created(service, 50)
                until(lambda: status(wire) == SERVING)
            assert service.log().count(" is a replica now") == 1
    finally:
        replica.kill()


def created(service: ServiceProcess, count: int) -> None:
    """Memories made all at once, none of them tried twice."""

    async def create() -> None:
        async with AsyncHopfieldClient(service.address, timeout=60, retry=RetryConfig(attempts=1)) as client:
            started = len([memory async for memory in client.list_memories()])
            await asyncio.gather(*(client.create_memory(f"m{started + k}", N) for k in range(count)))

    asyncio.run(create())


class TestARedisWithFewConnections:
    @pytest.mark.parametrize("most", [16, 8])
    def test_serves_a_burst_and_what_comes_after_it(
        self, start_service: StartService, tmp_path: Path, most: int
    ) -> None:
        valkey = ValkeyProcess(tmp_path / "few", "--maxclients", str(most))
        try:
            service = start_service(redis_url=valkey.url, redis_timeout="10")
            created(service, 200)
            created(service, 200)
            with connected(service.address) as wire:
                made(wire, "m", pairwise(N))
                assert store(wire, "m", A).revision == 1
                assert status(wire) == SERVING
            # Sixteen may suffice, if few calls come at once.
            assert service.log().count("Redis accepts fewer connections than") <= 1
            assert "Redis is away" not in service.log()
        finally:
            valkey.kill()

    def test_takes_no_more_than_the_settings_say(self, valkey: ValkeyProcess, start_service: StartService) -> None:
        service = start_service(redis_url=valkey.url, redis_connections="3", redis_timeout="10")
        created(service, 200)
        with valkey.client() as redis:
            # This one is the fourth.
            assert len(redis.client_list()) <= 4
        assert "Redis accepts fewer" not in service.log()


def test_a_changed_password_needs_no_restart(
    valkey: ValkeyProcess, start_service: StartService, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("first\n")
    with valkey.client() as redis:
        redis.execute_command("ACL", "SETUSER", "alice", "on", ">first", "~*", "&*", "+@all")
        url = valkey.url.replace("redis://", "redis://alice@")
        service = start_service(redis_url=url, redis_password_file=str(password))
        with connected(service.address) as wire:
            made(wire, "m", pairwise(N))
            redis.execute_command("ACL", "SETUSER", "alice", "resetpass", ">second")
            redis.execute_command("CLIENT", "KILL", "USER", "alice")
            until(lambda: status(wire) == NOT_SERVING)
            until(lambda: "WRONGPASS" in service.log())
            password.write_text("second\n")
            until(lambda: status(wire) == SERVING)
            assert store(wire, "m", A).revision == 1
    for secret in ("alice", "first\n", "second"):
        assert secret not in service.log()


def count_of_other_stores(service: ServiceProcess) -> int:
    """How often a service has said that its Redis holds another store."""
    return service.log().count("Redis holds another store than before")


class TestAStoreThatIsGone:
    @pytest.fixture(params=["emptied", "restarted without its data"])
    def lose(self, request: pytest.FixtureRequest, valkey: ValkeyProcess) -> Callable[[], None]:
        def restart() -> None:
            valkey.kill()
            for file in (valkey.directory / "appendonlydir").iterdir():
                file.unlink()
            valkey.start()

        def empty() -> None:
            with valkey.client() as redis:
                redis.flushall()

        return empty if request.param == "emptied" else restart

    def test_is_told_once_by_every_replica_with_numbers(
        self, valkey: ValkeyProcess, start_service: StartService, tmp_path: Path, lose: Callable[[], None]
    ) -> None:
        one = start_service(redis_url=valkey.url)
        (tmp_path / "other").mkdir()
        with ServiceProcess(tmp_path / "other", {"HOPFIELD_REDIS_URL": valkey.url}) as other:
            with valkey.client() as redis:
                assert redis.get("hopfield:{}:store")
            with connected(one.address) as wire:
                for name in ("a", "b", "c"):
                    made(wire, name, pairwise(N))
                    recall(wire, name, A)
                lose()
                until(lambda: count_of_other_stores(one) and count_of_other_stores(other))
                for service, loaded in ((one, 3), (other, 0)):
                    assert f"Memories loaded here: {loaded}; memories in Redis now: 0" in service.log()
                until(lambda: status(wire) == SERVING)
                made(wire, "d", pairwise(N))
                # Both agree on the id of the new store, and have nothing more to say of it.
                with valkey.client() as redis:
                    agreed = redis.get("hopfield:{}:store")
                    at = redis.info("commandstats")["cmdstat_ping"]["calls"]
                    until(lambda: redis.info("commandstats")["cmdstat_ping"]["calls"] > at + 6)
                    assert redis.get("hopfield:{}:store") == agreed
            for service in (one, other):
                assert count_of_other_stores(service) == 1

    def test_a_restart_with_its_data_is_not_one(self, valkey: ValkeyProcess, start_service: StartService) -> None:
        service = start_service(redis_url=valkey.url)
        with connected(service.address) as wire:
            made(wire, "m", pairwise(N))
            valkey.kill()
            until(lambda: status(wire) == NOT_SERVING)
            valkey.start()
            until(lambda: status(wire) == SERVING)
            assert store(wire, "m", A).revision == 1
        assert "another store" not in service.log()
