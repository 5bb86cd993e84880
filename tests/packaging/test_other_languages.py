"""The .proto files make stubs in other languages, which compile. Skipped where the tools of a language are not here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc_tools
import pytest

ROOT = Path(__file__).parents[2]
PROTOS = sorted((ROOT / "protos" / "hopfield" / "v1").glob("*.proto"))
# The messages that Google defines, which not every protoc brings along, come with grpc_tools.
PROTO_PATHS = (f"--proto_path={ROOT / 'protos'}", f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}")
# Where Debian's libprotobuf-java puts it; another one may stand in CLASSPATH.
JAVA_RUNTIME = Path("/usr/share/java/protobuf.jar")


def needs(*commands: str) -> pytest.MarkDecorator:
    missing = [command for command in commands if shutil.which(command) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not on this machine: {', '.join(missing)}")


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


@needs("node", "npm")
def test_typescript_stubs_compile(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    packages = ["@bufbuild/protobuf@2", "@bufbuild/protoc-gen-es@2", "typescript@5"]
    run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages, cwd=tmp_path)
    plugin = tmp_path / "node_modules" / ".bin" / "protoc-gen-es"
    (tmp_path / "generated").mkdir()
    options = [f"--plugin=protoc-gen-es={plugin}", "--es_out=generated", "--es_opt=target=ts,import_extension=js"]
    run(sys.executable, "-m", "grpc_tools.protoc", *PROTO_PATHS, *options, *PROTOS, cwd=tmp_path)
    stubs = sorted((tmp_path / "generated").rglob("*.ts"))
    assert len(stubs) == len(PROTOS)
    compiler = tmp_path / "node_modules" / ".bin" / "tsc"
    run(compiler, "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", *stubs, cwd=tmp_path)


@needs("protoc", "javac")
def test_java_stubs_compile(tmp_path: Path) -> None:
    runtime = os.environ.get("CLASSPATH", str(JAVA_RUNTIME))
    if not Path(runtime.split(os.pathsep)[0]).exists():
        pytest.skip("protobuf.jar is not on this machine")
    run("protoc", *PROTO_PATHS, f"--java_out={tmp_path}", *PROTOS, cwd=tmp_path)
    stubs = sorted(tmp_path.rglob("*.java"))
    # One file a message and an enumeration, all in one package.
    assert {stub.parent for stub in stubs} == {tmp_path / "com" / "hopfield" / "v1"}
    assert (tmp_path / "com" / "hopfield" / "v1" / "RecallRequest.java") in stubs
    run("javac", "-nowarn", "-cp", runtime, "-d", tmp_path / "classes", *stubs, cwd=tmp_path)


@needs("protoc", "protoc-gen-go")
def test_go_stubs_are_made_in_one_package(tmp_path: Path) -> None:
    run("protoc", *PROTO_PATHS, f"--go_out={tmp_path}", *PROTOS, cwd=tmp_path)
    stubs = sorted((tmp_path / "hopfield" / "v1").glob("*.pb.go"))
    assert len(stubs) == len(PROTOS)
    assert all("\npackage hopfieldv1\n" in stub.read_text() for stub in stubs)
