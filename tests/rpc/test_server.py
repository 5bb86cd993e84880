"""What the server says of itself: health, reflection, limits."""

from importlib.metadata import version

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.wire import Wire, connected, made, pairwise, refusal, signs

from hopfield.v1 import errors_pb2, memory_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2
from hopfield_service import errors
from hopfield_service.rpc.status import InternalError

SERVICES = [
    "hopfield.v1.MemoryService",
    "hopfield.v1.RecallService",
    "hopfield.v1.AttractorService",
    "hopfield.v1.ServerService",
]


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_every_service_is_healthy_once_the_serving_line_was_written(wire: Wire, service: str) -> None:
    health = health_pb2_grpc.HealthStub(wire.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_can_be_watched(wire: Wire) -> None:
    health = health_pb2_grpc.HealthStub(wire.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]), timeout=10)
    assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


def test_reflection_shows_every_service_and_the_fields_of_its_messages(wire: Wire) -> None:
    database = ProtoReflectionDescriptorDatabase(wire.channel)
    assert set(SERVICES) <= set(database.get_services())
    method = DescriptorPool(database).FindServiceByName("hopfield.v1.RecallService").FindMethodByName("Recall")
    options = method.input_type.fields_by_name["options"].message_type
    assert options is not None
    assert "max_iterations" in options.fields_by_name


def test_server_info_states_version_limits_and_rules(wire: Wire) -> None:
    info = wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest())
    assert info.version == version("hopfield-recall")
    assert (info.limits.max_neurons, info.limits.max_message_bytes) == (16_384, 16 << 20)
    assert list(info.learning_rules) == [
        memory_pb2.LEARNING_RULE_HEBBIAN,
        memory_pb2.LEARNING_RULE_STORKEY,
        memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER,
        memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
        memory_pb2.LEARNING_RULE_PERCEPTRON,
    ]
    assert list(info.update_rules) == [
        recall_service_pb2.UPDATE_RULE_ASYNCHRONOUS,
        recall_service_pb2.UPDATE_RULE_SYNCHRONOUS,
        recall_service_pb2.UPDATE_RULE_GLAUBER,
    ]


def test_limits_are_settings(start_service: StartService, valkey: ValkeyProcess) -> None:
    service = start_service(redis_url=valkey.url, max_neurons="10", max_patterns="2")
    with connected(service.address) as wire:
        with pytest.raises(grpc.RpcError) as caught:
            made(wire, "m", pairwise(11))
        assert "must be 1 to 10" in refusal(caught.value).message
        with pytest.raises(grpc.RpcError) as caught:
            wire.memory.CreateMemory(
                memory_service_pb2.CreateMemoryRequest(
                    name="sheet", spec=memory_pb2.MemorySpec(sheet=memory_pb2.SheetSpec(side=64))
                )
            )
        assert refusal(caught.value).message == "spec.sheet.side: must make at most 10 neurons, makes 4096"
        with pytest.raises(grpc.RpcError) as caught:
            made(wire, "m", pairwise(2), signs([1, 1], [1, -1], [-1, 1]))
        assert refusal(caught.value).reason == "PATTERN_LIMIT"


def test_the_serving_line_names_the_address_and_where_the_memories_are(server: ServiceProcess) -> None:
    assert server.serving_line.startswith(f"hopfield-server {version('hopfield-recall')} serving on 127.0.0.1:")
    assert ", memories in /" in server.serving_line


def test_without_redis_writes_and_loads_are_unavailable_and_say_when_to_try_again(
    start_service: StartService, valkey: ValkeyProcess
) -> None:
    service = start_service(redis_url=valkey.url, redis_timeout="0.5")
    with connected(service.address) as wire:
        made(wire, "m", pairwise(2), signs([1, 1]))
        valkey.kill()
        with pytest.raises(grpc.RpcError) as caught:
            made(wire, "other", pairwise(2))
        answer = refusal(caught.value)
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert answer.retry_seconds == 1
        assert "Error" not in answer.message
        valkey.start()
        made(wire, "other", pairwise(2))


def test_every_error_has_a_status_code_and_a_reason_of_the_wire() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name in errors_pb2.ErrorReason.keys()  # noqa: SIM118 - no dict
    }
    own = {*errors.ServiceError.__subclasses__()}
    assert InternalError in own
    assert {each.reason for each in own} == reasons - {"UNSPECIFIED"}
    assert all(each.code in grpc.StatusCode.__members__ for each in own)
