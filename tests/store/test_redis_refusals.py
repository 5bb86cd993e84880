"""Why Redis refuses is found out, and told from what waiting may mend: with real servers, each refusing in its way."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import trustme
from tests.processes import ValkeyProcess, free_port
from tests.store.forwarding import Forwarding

from hopfield_service.store.layout import Keys
from hopfield_service.store.probe import Condition, Probe
from hopfield_service.store.redis_client import BoundedRedis
from hopfield_service.store.redis_refusals import Refusal

ROOT = Path(__file__).parents[2]
SECRETS = ("sesame", "alice")


async def found(url: str, password_file: Path | None = None, seconds: float = 10.0) -> tuple[Condition, Refusal | None]:
    """What a probe finds at a URL: at any time, and at the start."""
    client = BoundedRedis(url, seconds, connections=4, password_file=password_file)
    try:
        probe = Probe(client, Keys("hopfield"))
        return await probe.condition(), await probe.lasting_refusal()
    finally:
        await client.aclose()


def assert_refused(seen: tuple[Condition, Refusal | None], *words: str, lasting: bool, answers: bool) -> None:
    condition, at_start = seen
    assert condition.refusal is not None
    assert (condition.answers, condition.takes_changes) == (answers, False)
    for word in words:
        assert word in condition.refusal.reason
    assert (at_start is not None) is lasting
    assert condition.refusal.lasting is lasting
    assert not any(secret in condition.refusal.reason for secret in SECRETS)
    (ends_start,) = [ends for said, ends in documented() if condition.refusal.reason.startswith(said)]
    assert ends_start is lasting


@cache
def documented() -> list[tuple[str, bool]]:
    """How each reason in docs/storage.md begins, and whether it ends a start."""
    section = (ROOT / "docs/storage.md").read_text().partition("## Why Redis refuses")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| ")][1:]
    return [(row[0].strip().partition(",")[0].removesuffix(" ..."), row[-1].strip() == "yes") for row in rows]


@pytest.fixture
def valkey_with(tmp_path: Path) -> Iterator[Callable[..., ValkeyProcess]]:
    """Starts Valkey servers with options."""
    processes: list[ValkeyProcess] = []

    def start(*options: str) -> ValkeyProcess:
        processes.append(ValkeyProcess(tmp_path / f"valkey-{len(processes)}", *options))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()


async def test_a_redis_that_takes_changes_is_found_to(valkey: ValkeyProcess) -> None:
    condition, at_start = await found(valkey.url)
    assert (condition.answers, condition.takes_changes, condition.refusal, at_start) == (True, True, None, None)


@pytest.mark.parametrize(
    ("access", "database", "words"),
    [
        ("", 0, ("NOAUTH", "HOPFIELD_REDIS_PASSWORD_FILE")),
        (":wrong@", 0, ("WRONGPASS",)),
        ("nobody:sesame@", 0, ("WRONGPASS",)),
        ("disabled:sesame@", 0, ("WRONGPASS", "enable the user")),
        (":sesame@", 99, ("no database of that number",)),
        ("alice:sesame@", 0, ("may not run SET", "NOPERM", "docs/storage.md")),
        ("no-ping:sesame@", 0, ("may not run PING", "NOPERM")),
    ],
)
async def test_who_is_not_let_in_or_lacks_rights(
    valkey: ValkeyProcess, access: str, database: int, words: tuple[str, ...]
) -> None:
    with valkey.client() as redis:
        everything = ("~*", "&*", "+@all")
        redis.execute_command("ACL", "SETUSER", "disabled", "off", ">sesame", *everything)
        redis.execute_command("ACL", "SETUSER", "alice", "on", ">sesame", *everything, "-set")
        redis.execute_command("ACL", "SETUSER", "no-ping", "on", ">sesame", *everything, "-ping")
        redis.config_set("requirepass", "sesame")
    seen = await found(f"redis://{access}127.0.0.1:{valkey.port}/{database}")
    assert_refused(seen, *words, lasting=True, answers="NOPERM" in words)


async def test_a_user_who_lacks_one_command_of_a_change(valkey: ValkeyProcess) -> None:
    with valkey.client() as redis:
        redis.execute_command("ACL", "SETUSER", "alice", "on", ">sesame", "~*", "&*", "+@all", "-xadd", "-rename")
    seen = await found(f"redis://alice:sesame@127.0.0.1:{valkey.port}")
    assert_refused(seen, "may not run RENAME, XADD", lasting=True, answers=True)


async def test_a_user_who_may_not_use_the_keys(valkey: ValkeyProcess) -> None:
    with valkey.client() as redis:
        redis.execute_command("ACL", "SETUSER", "alice", "on", ">sesame", "~other:*", "&*", "+@all")
    seen = await found(f"redis://alice:sesame@127.0.0.1:{valkey.port}")
    assert_refused(seen, "may not use the keys of the service", lasting=True, answers=True)


async def test_a_password_for_a_redis_that_has_none(valkey: ValkeyProcess) -> None:
    seen = await found(f"redis://:sesame@127.0.0.1:{valkey.port}")
    assert_refused(seen, "has no password, and one is given", lasting=True, answers=False)


async def test_a_replica(valkey: ValkeyProcess, valkey_with: Callable[..., ValkeyProcess]) -> None:
    replica = valkey_with("--replicaof", f"127.0.0.1 {valkey.port}")
    assert_refused(await found(replica.url), "replica", "name its primary", lasting=True, answers=True)


async def test_a_replica_that_would_take_changes(
    valkey: ValkeyProcess, valkey_with: Callable[..., ValkeyProcess]
) -> None:
    replica = valkey_with("--replicaof", f"127.0.0.1 {valkey.port}", "--replica-read-only", "no")
    _, at_start = await found(replica.url)
    assert at_start is not None
    assert "replica" in at_start.reason


@pytest.mark.parametrize("slots", [range(16384), range(1)], ids=["with all slots", "with one of them"])
async def test_a_node_of_a_cluster(valkey_with: Callable[..., ValkeyProcess], slots: range) -> None:
    node = valkey_with("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with node.client() as redis:
        redis.execute_command("CLUSTER", "ADDSLOTSRANGE", slots.start, slots.stop - 1)
    _, at_start = await found(node.url)
    assert at_start is not None
    assert "node of a Redis Cluster" in at_start.reason


async def test_a_database_of_a_cluster(valkey_with: Callable[..., ValkeyProcess]) -> None:
    node = valkey_with("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    _, at_start = await found(node.url.replace("/0", "/3"))
    assert at_start is not None
    assert "node of a Redis Cluster" in at_start.reason or "no database of that number" in at_start.reason


async def test_too_few_replicas(valkey: ValkeyProcess) -> None:
    with valkey.client() as redis:
        redis.config_set("min-replicas-to-write", 1)
    assert_refused(await found(valkey.url), "NOREPLICAS", lasting=False, answers=True)


async def test_a_full_memory(valkey: ValkeyProcess) -> None:
    with valkey.client() as redis:
        redis.config_set("maxmemory", 1)
    seen = await found(valkey.url)
    assert_refused(seen, "memory is full (OOM)", lasting=False, answers=True)
    assert seen[0].refusal is not None
    assert seen[0].refusal.full


async def test_a_disk_that_cannot_be_written_to(valkey_with: Callable[..., ValkeyProcess]) -> None:
    valkey = valkey_with("--appendonly", "no", "--save", "3600 1")
    failing_dump(valkey)
    assert_refused(await found(valkey.url), "cannot write to its disk (MISCONF)", lasting=False, answers=True)


def failing_dump(valkey: ValkeyProcess) -> None:
    """Has Valkey fail to write a dump: a directory has the name of the file."""
    with valkey.client() as redis:
        (valkey.directory / "dump.rdb").mkdir()
        (valkey.directory / "dump.rdb" / "in the way").touch()
        redis.set("x", "y")
        redis.bgsave()
        while redis.info("persistence")["rdb_last_bgsave_status"] == "ok":
            pass


async def test_nobody_listens(valkey: ValkeyProcess) -> None:
    valkey.kill()
    assert_refused(await found(valkey.url), "nobody listens", lasting=False, answers=False)
    by_name = valkey.url.replace("127.0.0.1", "localhost")
    assert_refused(await found(by_name), "nobody listens", lasting=False, answers=False)


async def test_an_unknown_host() -> None:
    seen = await found("redis://no-such-host.invalid:6379")
    assert_refused(seen, "host name cannot be resolved", lasting=False, answers=False)


async def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    seen = await found(f"unix://{tmp_path}/none.sock")
    assert_refused(seen, "is not there", lasting=False, answers=False)


async def test_silence(valkey: ValkeyProcess) -> None:
    valkey.stop()
    try:
        assert_refused(await found(valkey.url, seconds=0.2), "does not answer within", lasting=False, answers=False)
    finally:
        valkey.go_on()


async def test_all_connections_taken(valkey_with: Callable[..., ValkeyProcess]) -> None:
    valkey = valkey_with("--maxclients", "2")
    with valkey.client() as one, valkey.client() as two:
        assert one.ping()
        assert two.ping()
        assert_refused(await found(valkey.url), "maxclients", lasting=False, answers=False)


async def test_no_redis_at_all() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        seen = await found(f"redis://127.0.0.1:{port}")
    assert_refused(seen, "does not speak the protocol of Redis", lasting=True, answers=False)


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """The port of a server that gives one answer to everything."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                with near:
                    near.recv(100)
                    near.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def port(self, valkey: ValkeyProcess, authority: trustme.CA) -> Iterator[int]:
        """Where the Valkey server is served with TLS, as localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        with Forwarding(valkey.port, context) as forwarding:
            yield forwarding.port

    @pytest.fixture
    def certificates(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    async def test_works_with_the_authority(self, port: int, certificates: Path) -> None:
        condition, at_start = await found(f"rediss://localhost:{port}/0?ssl_ca_certs={certificates}")
        assert condition.takes_changes
        assert at_start is None

    async def test_an_unknown_authority(self, port: int) -> None:
        seen = await found(f"rediss://localhost:{port}/0")
        assert_refused(seen, "certificate is not accepted", "ssl_ca_certs", lasting=True, answers=False)

    async def test_another_host(self, port: int, certificates: Path) -> None:
        seen = await found(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates}")
        assert_refused(seen, "certificate is not accepted", "127.0.0.1", lasting=True, answers=False)

    async def test_asked_of_a_redis_without_it(self, valkey: ValkeyProcess) -> None:
        seen = await found(f"rediss://localhost:{valkey.port}/0", seconds=1.0)
        assert_refused(seen, "does not speak TLS", "redis://", lasting=True, answers=False)

    async def test_not_asked_of_a_redis_with_it(self, port: int) -> None:
        seen = await found(f"redis://:sesame@localhost:{port}/0")
        assert_refused(seen, "speaks TLS", "rediss://", lasting=True, answers=False)


class TestAPasswordFile:
    @pytest.mark.parametrize(("user", "access"), [("default", ""), ("alice", "alice@")])
    async def test_is_read(self, valkey: ValkeyProcess, tmp_path: Path, user: str, access: str) -> None:
        with valkey.client() as redis:
            redis.execute_command("ACL", "SETUSER", user, "on", "resetpass", ">s/e#s ame", "~*", "&*", "+@all")
        password = tmp_path / "password"
        password.write_text("s/e#s ame\n")
        condition, _ = await found(f"redis://{access}127.0.0.1:{valkey.port}/0", password)
        assert condition.takes_changes

    async def test_that_is_not_there(self, valkey: ValkeyProcess, tmp_path: Path) -> None:
        seen = await found(valkey.url, tmp_path / "none")
        assert_refused(seen, "HOPFIELD_REDIS_PASSWORD_FILE cannot be read", lasting=True, answers=False)

    async def test_that_is_empty(self, valkey: ValkeyProcess, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("\n")
        seen = await found(valkey.url, tmp_path / "password")
        assert_refused(seen, "HOPFIELD_REDIS_PASSWORD_FILE is empty", lasting=True, answers=False)
