"""The wire: the generated code is what the .proto files say, and they say what everything in them means."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def generated(protos: Path) -> dict[str, str]:
    return {path.relative_to(protos).as_posix(): path.read_text("utf-8") for path in sorted(protos.rglob("*_pb2*.py*"))}


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("regenerated")
    copytree(ROOT / "protos", place / "protos", ignore=ignore_patterns("*_pb2*", "__pycache__"))
    # `--old-file`: the environment is there, make need not bring it up to date.
    command = [
        "make",
        f"--makefile={ROOT / 'Makefile'}",
        f"VENV={BIN.parent}",
        f"--old-file={BIN.parent / '.installed'}",
    ]
    subprocess.run([*command, "protos"], cwd=place, check=True)
    return generated(place / "protos")


def test_what_is_checked_in_is_what_make_protos_writes(regenerated: dict[str, str]) -> None:
    checked_in = generated(ROOT / "protos")
    assert checked_in.keys() == regenerated.keys()
    assert [name for name, text in regenerated.items() if text != checked_in[name]] == []


def test_there_is_something_to_compare(regenerated: dict[str, str]) -> None:
    assert "hopfield/v1/recall_service_pb2_grpc.pyi" in regenerated


def test_the_protos_pass_buf_lint() -> None:
    subprocess.run([BIN / "buf", "lint", "protos"], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    described = tmp_path_factory.mktemp("described") / "set"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT / 'protos'}", "--include_source_info"]
    protos = sorted((ROOT / "protos").rglob("*.proto"))
    subprocess.run([*command, f"--descriptor_set_out={described}", *protos], check=True)
    return list(FileDescriptorSet.FromString(described.read_bytes()).file)


# A place in a file is a path: field numbers and indices in turn, from its FileDescriptorProto down.
Place = tuple[int, ...]


def named(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    """Everything a caller can name: messages, fields, oneofs, enums, their values, services and rpcs."""
    for index, message in enumerate(file.message_type):
        yield from named_in_message((FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, index), message)
    for index, enum in enumerate(file.enum_type):
        yield from named_in_enum((FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER, index), enum, enum.name)
    for index, service in enumerate(file.service):
        place = (FileDescriptorProto.SERVICE_FIELD_NUMBER, index)
        yield place, service.name
        for number, method in enumerate(service.method):
            yield (*place, ServiceDescriptorProto.METHOD_FIELD_NUMBER, number), f"{service.name}.{method.name}"


def named_in_message(place: Place, message: DescriptorProto, within: str = "") -> Iterator[tuple[Place, str]]:
    # A map is written as a field; the message behind it stands in no file.
    if message.options.map_entry:
        return
    name = f"{within}{message.name}"
    yield place, name
    for index, field in enumerate(message.field):
        yield (*place, DescriptorProto.FIELD_FIELD_NUMBER, index), f"{name}.{field.name}"
    optional = {field.oneof_index for field in message.field if field.proto3_optional}
    for index, oneof in enumerate(message.oneof_decl):
        # `optional` is a oneof of one, which stands in no file either.
        if index not in optional:
            yield (*place, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, index), f"{name}.{oneof.name}"
    for index, enum in enumerate(message.enum_type):
        yield from named_in_enum((*place, DescriptorProto.ENUM_TYPE_FIELD_NUMBER, index), enum, f"{name}.{enum.name}")
    for index, nested in enumerate(message.nested_type):
        yield from named_in_message((*place, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, index), nested, f"{name}.")


def named_in_enum(place: Place, enum: EnumDescriptorProto, name: str) -> Iterator[tuple[Place, str]]:
    yield place, name
    for index, value in enumerate(enum.value):
        yield (*place, EnumDescriptorProto.VALUE_FIELD_NUMBER, index), f"{name}.{value.name}"


def test_everything_has_a_comment_above_it(files: list[FileDescriptorProto]) -> None:
    bare = []
    for file in files:
        commented = {
            tuple(location.path) for location in file.source_code_info.location if location.leading_comments.strip()
        }
        bare += [f"{file.name}: {name}" for place, name in named(file) if place not in commented]
    assert bare == []


def test_everything_is_looked_at(files: list[FileDescriptorProto]) -> None:
    looked_at = {name for file in files for _, name in named(file)}
    assert {
        *("RecallService", "RecallService.Recall", "RecallRequest", "RecallOptions.seed", "StopReason"),
        *("StopReason.STOP_REASON_CYCLE", "Patterns.encoding"),
    } <= looked_at
