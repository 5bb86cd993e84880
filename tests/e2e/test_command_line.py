"""`hopfield-server` as an operator meets it: settings, what it says when it starts, and what it says when it cannot."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError
from tests.processes import ServiceProcess, free_port
from tests.waiting import until
from tests.wire import connected, refusal

from hopfield.v1 import memory_service_pb2
from hopfield_client import HopfieldClient
from hopfield_service.core.families import kernel_count
from hopfield_service.core.kernels.cache import directory
from hopfield_service.settings import Settings

COMMAND = [sys.executable, "-m", "hopfield_service"]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Without settings, and at home in a place of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HOPFIELD_", "XDG_"))}
    return {**inherited, "HOME": str(home), "COLUMNS": "200", "HOPFIELD_LISTEN": "127.0.0.1:0"}


def ended(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, which ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def serving(environment: dict[str, str], directory: Path, *arguments: str) -> Iterator[tuple[str, Path]]:
    """The first line on stdout of a command that serves, and the file that its stderr goes to."""
    directory.mkdir()
    log = directory.with_name(f"{directory.name}.log")
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*COMMAND, *arguments], env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        # A process that hangs on its way up is killed, which ends the read.
        timer = threading.Timer(120, process.kill)
        timer.start()
        assert process.stdout is not None
        yield process.stdout.readline(), log
        timer.cancel()
        process.terminate()
        assert process.wait(60) == 0, log.read_text()


def where(line: str) -> Path:
    """Where the memories are, by the line that says that it serves."""
    return Path(line.rstrip("\n").partition(", memories in ")[2])


class TestASettingThatCannotBe:
    """Ends the command with status 2 and one line that names it as it was given, and what it must be."""

    @pytest.mark.parametrize(
        ("setting", "value", "rule"),
        [
            ("threads", "two", "must be a whole number, not 'two'"),
            ("threads", "1.5", "must be a whole number, not '1.5'"),
            ("threads", "0", "must be at least 1, not '0'"),
            ("max_iterations", str(1 << 32), "must be less than 4294967296, not '4294967296'"),
            ("max_neurons", str(1 << 20), "must be at most 131072, not '1048576'"),
            ("grace", "long", "must be a number, not 'long'"),
            ("grace", "nan", "must be a number, and finite, not 'nan'"),
            ("redis_timeout", "0", "must be more than 0, not '0'"),
            ("log_level", "loud", "must be 'debug', 'info', 'warning' or 'error', not 'loud'"),
            ("listen", "50051", "must be host:port, with a port from 0 to 65535, or unix:/path, not '50051'"),
            (
                "listen",
                "localhost:65536",
                "must be host:port, with a port from 0 to 65535, or unix:/path, not 'localhost:65536'",
            ),
            ("listen", "::1:50051", "must have brackets around an IPv6 address, as in [::1]:50051, not '::1:50051'"),
            ("redis_prefix", "a{b}", "must be printable characters other than spaces and braces, not 'a{b}'"),
            ("redis_prefix", "a b", "must be printable characters other than spaces and braces, not 'a b'"),
            ("redis_prefix", "a\n", "must be printable characters other than spaces and braces, not 'a\\n'"),
            (
                "data_dir",
                "~nobody-of-this-name/x",
                (
                    "must be a directory without ~: the home directory it stands for is not known, "
                    "not '~nobody-of-this-name/x'"
                ),
            ),
        ],
    )
    def test_by_flag_or_by_variable(self, environment: dict[str, str], setting: str, value: str, rule: str) -> None:
        flag = f"--{setting.replace('_', '-')}"
        variable = f"HOPFIELD_{setting.upper()}"
        for done, name in (
            (ended(environment, f"{flag}={value}"), flag),
            (ended({**environment, variable: value}), variable),
        ):
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == f"hopfield-server: {name} {rule}\n"

    def test_each_has_a_line(self, environment: dict[str, str]) -> None:
        done = ended({**environment, "HOPFIELD_GRACE": "-1"}, "--threads", "two")
        assert done.stderr.splitlines() == [
            "hopfield-server: --threads must be a whole number, not 'two'",
            "hopfield-server: HOPFIELD_GRACE must be at least 0, not '-1'",
        ]

    @pytest.mark.parametrize(
        ("url", "rule"),
        [
            ("http://user:secret@host", "must begin with redis://, rediss:// or unix://"),
            ("user:secret@host:6379", "must begin with redis://, rediss:// or unix://"),
            ("redis://user:secret@host:port", "must have a port from 0 to 65535"),
            ("redis://user:secret@host:65536", "must have a port from 0 to 65535"),
            ("redis://:sec/ret@host:6379", r"write /, \? and # in a password as %2F, %3F and %23"),
            ("redis://user:secret@host/first", "must have the number of a database, or nothing, after the host"),
            ("redis://user:secret@host?db=first", r"has an option after the \? that is not known"),
            ("redis://user:secret@host/0?db=-1", "must have a database from 0 on"),
            ("redis://user:secret@host?colour=red", r"has an option after the \? that is not known"),
            ("rediss://user:secret@host?ssl_cert_reqs=perhaps", r"has an option after the \? that is not known"),
            ("redis://user:secret@[::1", "must be a URL"),
            ("unix://", "must name a socket"),
            ("redis://:57#secret@host", "must be without # and spaces; write them in a password as %23 and %20"),
            ("redis://host:6379/0#secret", "must be without # and spaces"),
            ("redis://:sec ret@host", "must be without # and spaces"),
            ("redis://:57?secret@host", r"must name a host, .* write / and \? in a password as %2F and %3F"),
            ("redis://user:57?secret@host", r"has an option after the \? that is not known"),
            ("redis://:57/secret@host", "must name a host"),
            ("redis://", "must name a host"),
            ("redis://host?password=secret&decode_responses=true", "has decode_responses; docs/storage.md lists those"),
            ("redis://user:secret@host?protocol=3", "has protocol; docs/storage.md lists those"),
            ("redis://user:secret@host?encoding=", "has encoding; docs/storage.md lists those"),
            ("rediss://user:secret@host?ssl_ca_certs=/none.pem", "must name a file by ssl_ca_certs"),
            ("redis://user:secret@host?max_connections=1", "must have max_connections of at least 2"),
        ],
    )
    def test_a_redis_url_is_not_repeated_for_it_may_hold_a_password(
        self, environment: dict[str, str], url: str, rule: str
    ) -> None:
        done = ended({**environment, "HOPFIELD_REDIS_URL": url})
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(rf"hopfield-server: HOPFIELD_REDIS_URL .*{rule}.*\n", done.stderr)
        assert "sec" not in done.stderr
        assert "ret" not in done.stderr

    @pytest.mark.parametrize("url", ["", "redis://user:secret@host", "redis://host?password=secret"])
    def test_a_password_file_may_not_come_with_a_password_or_without_a_url(
        self, environment: dict[str, str], url: str
    ) -> None:
        done = ended({**environment, "HOPFIELD_REDIS_URL": url, "HOPFIELD_REDIS_PASSWORD_FILE": "/run/secret"})
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "hopfield-server: HOPFIELD_REDIS_PASSWORD_FILE may be set only with HOPFIELD_REDIS_URL, and without a "
            "password in it\n"
        )


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://user:secret@host:6379/3",
        "redis://[::1]:6379/?health_check_interval=5",
        "rediss://host/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_a_redis_url_that_the_redis_client_understands_is_taken(url: str) -> None:
    assert Settings.model_validate({"redis_url": f"{url}\n"}).redis_url == url


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://user:secret@Host:6379/3", "redis://host:6379/3"),
        ("redis://:secret@host", "redis://host"),
        ("redis://user@host/?password=secret&username=user", "redis://host/"),
        ("rediss://:p%23%40secret@[::1]:6379/0?ssl_cert_reqs=none", "rediss://[::1]:6379/0"),
        ("unix://user:secret@/run/redis.sock?db=1&password=secret", "unix:///run/redis.sock"),
    ],
)
def test_user_and_password_are_in_nothing_that_is_shown(url: str, where: str) -> None:
    settings = Settings.model_validate({"redis_url": url})
    assert settings.where == where
    assert "secret" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"redis_url": f"{url}#secret", "threads": "none"})
    assert "secret" not in str(caught.value)


class TestTheDataDirectory:
    def test_is_the_default_where_an_empty_one_is_given(self, environment: dict[str, str], tmp_path: Path) -> None:
        here = tmp_path / "here"
        empty = {**environment, "HOPFIELD_DATA_DIR": "", "HOPFIELD_THREADS": "", "HOPFIELD_REDIS_URL": ""}
        with serving(empty, here, "--data-dir", "", "--redis-prefix", "") as (line, _):
            assert where(line).is_relative_to(environment["HOME"])
            assert where(line).is_dir()
        assert not list(here.iterdir())

    def test_may_begin_with_the_home_directory(self, environment: dict[str, str], tmp_path: Path) -> None:
        with serving(environment, tmp_path / "here", "--data-dir", "~/x") as (line, _):
            assert where(line) == Path(environment["HOME"], "x")

    def test_is_shown_whole(self, environment: dict[str, str], tmp_path: Path) -> None:
        here = tmp_path / "here"
        with serving({**environment, "HOPFIELD_DATA_DIR": "data"}, here) as (line, _):
            assert where(line) == here / "data"


class TestTheLog:
    @pytest.fixture
    def lines(self, environment: dict[str, str], tmp_path: Path) -> list[str]:
        with serving(environment, tmp_path / "here", "--data-dir", "data", "--threads", "3") as (_, log):
            pass
        return log.read_text().splitlines()

    def test_has_the_time_in_utc_on_every_line(self, lines: list[str]) -> None:
        assert lines
        assert all(re.match(rf"{TIME} (INFO|WARNING|ERROR) hopfield_service\.", line) for line in lines)

    def test_begins_with_what_is_served_where_and_from_what(self, lines: list[str], tmp_path: Path) -> None:
        begins = rf".* hopfield-server {version('hopfield-recall')} on 127\.0\.0\.1:[1-9]\d*: memories in {tmp_path}"
        assert re.match(begins, lines[0])
        assert "3 threads, at most 16384 neurons, 65536 patterns" in lines[0]

    def test_says_why_it_takes_long_and_how_long_it_took(self, lines: list[str]) -> None:
        (warming,) = (number for number, line in enumerate(lines) if "warming the kernels" in line)
        (serves,) = (number for number, line in enumerate(lines) if re.search(r"serving after \d+\.\d s", line))
        assert warming < serves

    def test_says_how_far_a_first_start_is(self, environment: dict[str, str], tmp_path: Path) -> None:
        log = tmp_path / "log"
        uncompiled = {**environment, "NUMBA_CACHE_DIR": str(tmp_path / "nothing compiled yet")}

        def counts() -> list[int]:
            said = re.findall(r"compiled (\d+) of (\d+) kernels, [\w.]+ the last", log.read_text())
            assert all(int(total) == kernel_count() for _, total in said)
            return [int(count) for count, _ in said]

        with (
            log.open("w") as stderr,
            subprocess.Popen(
                [*COMMAND, "--data-dir", str(tmp_path / "data")], env=uncompiled, stderr=stderr
            ) as process,
        ):
            until(lambda: len(counts()) >= 2, within=60)
            process.terminate()
            assert process.wait(60) == 0
        assert counts() == sorted(set(counts()))

    def test_ends_with_the_end(self, lines: list[str]) -> None:
        assert lines[-2].endswith("stopping: calls in flight have 10 s to finish")
        assert lines[-1].endswith("stopped")

    def test_is_as_loud_as_told_in_any_case(self, environment: dict[str, str], tmp_path: Path) -> None:
        with serving(environment, tmp_path / "here", "--log-level", "Warning", "--data-dir", "data") as (line, log):
            assert "serving on" in line
        assert log.read_text() == ""

    def test_warns_of_variables_that_are_no_settings(self, environment: dict[str, str], tmp_path: Path) -> None:
        strays = {
            "HOPFIELD_DATADIR": "/x",
            "HOPFIELD_PORT": "9000",
            "hopfield_log_level": "info",
            # Of Kubernetes, beside a service named `hopfield`.
            "HOPFIELD_SERVICE_HOST": "10.0.0.1",
            "HOPFIELD_SERVICE_PORT_GRPC": "50051",
            "HOPFIELD_PORT_50051_TCP_ADDR": "10.0.0.1",
        }
        with serving({**environment, **strays}, tmp_path / "here", "--data-dir", "data") as (_, log):
            pass
        warnings = [line.partition(" WARNING ")[2] for line in log.read_text().splitlines() if " WARNING " in line]
        assert [line.partition(": ")[2] for line in warnings] == [
            "HOPFIELD_DATADIR in the environment is no setting, and is passed over; did you mean HOPFIELD_DATA_DIR?",
            "HOPFIELD_PORT in the environment is no setting, and is passed over; did you mean HOPFIELD_LISTEN?",
        ]

    def test_does_not_warn_of_the_port_of_a_kubernetes_service(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        stray = {"HOPFIELD_PORT": "tcp://10.0.0.1:50051"}
        with serving({**environment, **stray}, tmp_path / "here", "--data-dir", "data") as (_, log):
            pass
        assert "WARNING" not in log.read_text()


class TestCompiledKernels:
    """On disk, which may be damaged, full, or not be had at all."""

    def test_that_are_damaged_are_compiled_again_with_a_warning(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        kept = directory().path
        assert kept is not None
        copy = tmp_path / "kernels" / kept.name
        shutil.copytree(kept, copy)
        damaged: dict[str, Callable[[bytes], bytes]] = {
            "generator.next_word": lambda _: b"",
            "learning.add_signs": lambda whole: whole[:100],
            "ring.tuning": lambda _: bytes(1000),
        }
        for kernel, damage in damaged.items():
            # One for each combination of types; tests compile some that a service does not.
            for path in copy.glob(f"{kernel}.*"):
                path.write_bytes(damage(path.read_bytes()))
        uses_them = {**environment, "NUMBA_CACHE_DIR": str(copy.parent)}
        with serving(uses_them, tmp_path / "first", "--data-dir", "data") as (line, log):
            assert "serving on" in line
        for kernel in damaged:
            warning = rf"WARNING hopfield_service.serving.compilation: the compiled kernel \S+/{kernel}\.\w+ is damaged"
            assert re.search(warning, log.read_text())
        with serving(uses_them, tmp_path / "second", "--data-dir", "data") as (line, log):
            assert "serving on" in line
        assert "WARNING" not in log.read_text()

    def test_that_are_not_there_yet_keep_early_calls_waiting_and_health_answered(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        address = f"127.0.0.1:{free_port()}"
        cold = {**environment, "NUMBA_CACHE_DIR": str(tmp_path / "empty"), "HOPFIELD_LISTEN": address}
        with subprocess.Popen(COMMAND, env=cold, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            with connected(address) as wire:
                grpc.channel_ready_future(wire.channel).result(timeout=60)
                with pytest.raises(grpc.RpcError) as caught:
                    wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m"), timeout=60)
                refused = refusal(caught.value)
                assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STARTING")
                assert refused.retry_seconds
                answer = health_pb2_grpc.HealthStub(wire.channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
                assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0

    def test_are_needed(self, environment: dict[str, str]) -> None:
        done = ended({**environment, "NUMBA_DISABLE_JIT": "1"})
        assert done.returncode == 1
        assert done.stderr == "hopfield_service needs compiled kernels: NUMBA_DISABLE_JIT must be 0 or unset\n"


class TestAnAddressThatCannotBeHad:
    """Ends the command with status 1 and one line, before anything else was touched."""

    def test_because_another_process_has_it(self, environment: dict[str, str], tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            done = ended(environment, "--listen", address, "--data-dir", str(tmp_path / "data"))
        assert done.returncode == 1
        assert done.stderr == (
            f"hopfield-server: cannot serve on {address}: another process serves there; "
            "choose another port, or 0 for a free one\n"
        )
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(
        ("listen", "reason"),
        [
            ("no-such-host.invalid:50051", "the host name no-such-host.invalid is not known"),
            (f"{'x' * 80}.invalid:50051", f"{'x' * 80}.invalid is no host name"),
            # Set aside for documentation, so that it is the address of no machine.
            ("203.0.113.1:50051", "the address is none of this machine"),
        ],
    )
    def test_because_it_is_none_of_this_machine(
        self, environment: dict[str, str], tmp_path: Path, listen: str, reason: str
    ) -> None:
        done = ended(environment, "--listen", listen, "--data-dir", str(tmp_path / "data"))
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"hopfield-server: cannot serve on {listen}: {reason}")
        assert not (tmp_path / "data").exists()


class TestWhatTheCommandTells:
    def test_its_version(self, environment: dict[str, str]) -> None:
        done = ended(environment, "--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"hopfield-server {version('hopfield-recall')}\n"

    def test_its_settings(self, environment: dict[str, str]) -> None:
        done = ended(environment, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        for setting in Settings.model_fields:
            assert re.search(rf"--{setting.replace('_', '-')} +HOPFIELD_{setting.upper()} ", done.stdout)
        assert "<bool>" not in done.stdout

    def test_whether_a_service_is_healthy(self, environment: dict[str, str], server: ServiceProcess) -> None:
        done = ended({**environment, "HOPFIELD_LISTEN": server.address}, "healthcheck")
        assert (done.returncode, done.stdout, done.stderr) == (0, "SERVING\n", "")

    def test_whatever_proxy_the_environment_names(self, environment: dict[str, str], server: ServiceProcess) -> None:
        proxies = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        done = ended({**environment, "HOPFIELD_LISTEN": server.address, **proxies}, "healthcheck")
        assert (done.returncode, done.stdout) == (0, "SERVING\n")

    def test_that_there_is_no_service(self, environment: dict[str, str]) -> None:
        with socket.socket() as taken:
            # Bound, and not listening: whoever connects is refused.
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = ended({**environment, "HOPFIELD_LISTEN": address}, "healthcheck")
        assert done.returncode == 1
        assert done.stderr == f"hopfield-server: nothing healthy at {address}: UNAVAILABLE\n"


class TestStandardStreamsThatTakeNothing:
    """Do not end the service, which has no other use for them than to be read."""

    @pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "<&-", "> >(true)", "2>&-"])
    def test_by_a_shell(self, environment: dict[str, str], tmp_path: Path, redirection: str) -> None:
        listen = f"unix:{tmp_path / 's'}"
        command = " ".join(map(shlex.quote, COMMAND))
        with subprocess.Popen(
            ["bash", "-c", f"exec {command} {redirection}"],
            env={**environment, "HOPFIELD_LISTEN": listen, "HOPFIELD_DATA_DIR": str(tmp_path / "data")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                with HopfieldClient(listen) as client:
                    client.wait_until_ready(120)
                    client.create_memory("m", 2)
                # Past the line that says it serves.
                assert process.poll() is None
            finally:
                process.terminate()
            assert process.wait(60) == 0
