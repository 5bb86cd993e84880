"""Where a client connects to: one server or several, by way of a proxy or not."""

import json
from typing import Any

import pytest
from tests.client.conftest import Connect
from tests.processes import ServiceProcess

from hopfield_client import HopfieldClient, InvalidArgument, Unavailable
from hopfield_client._addresses import addresses_of
from hopfield_client._config import channel_options

ONE = [
    "localhost:1",
    "127.0.0.1:65535",
    "[::1]:50051",
    "memories.example.org:443",
    "hopfield_1:50051",
    "unix:/run/hopfield",
    "unix:///run/hopfield",
]
SEVERAL = [
    ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
    ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
    (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
    (("localhost:1", "localhost:2"), "ipv4:127.0.0.1:1,127.0.0.1:2"),
    ("[::1]:1,[fd00::2]:2", "ipv6:[::1]:1,[fd00::2]:2"),
    ("[fd00::2]:1,10.0.0.1:2", "ipv6:[fd00::2]:1,[::ffff:10.0.0.1]:2"),
    ("dns:///hopfield:50051", "dns:///hopfield:50051"),
    ("ipv4:10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
]


def options_for(address: Any) -> dict[str, Any]:
    return dict(channel_options(addresses_of(address)))


@pytest.mark.parametrize("address", ONE)
def test_one_address_is_taken_as_it_is_and_serves_whatever_health_says(address: str) -> None:
    addresses = addresses_of(address)
    assert (addresses.text, addresses.target) == (address, address)
    assert "healthCheckConfig" not in options_for(address).get("grpc.service_config", "")
    assert addresses_of([address]) == addresses


@pytest.mark.parametrize(("address", "target"), SEVERAL)
def test_of_several_servers_each_that_is_healthy_has_its_turn(address: Any, target: str) -> None:
    assert addresses_of(address).target == target
    assert json.loads(options_for(address)["grpc.service_config"]) == {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
    }


def test_the_servers_behind_a_name_have_their_turns() -> None:
    config = json.loads(options_for("hopfield.example.org:50051")["grpc.service_config"])
    assert config == {"loadBalancingConfig": [{"round_robin": {}}]}


@pytest.mark.parametrize(
    "address", [[], ["localhost"], ["10.0.0.1:1", 2], "10.0.0.1:1,", "10.0.0.1:1,10.0.0.2", {"10.0.0.1:1"}]
)
def test_what_is_no_list_of_addresses_is_refused(address: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^address is ") as refused:
        addresses_of(address)
    assert refused.value.field == "address"


def test_a_list_is_of_ip_addresses() -> None:
    with pytest.raises(InvalidArgument, match=r"lists the name db1: .* 'dns:///name:port'$"):
        addresses_of("db1:50051,db2:50051")


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:1", "LOCALHOST:1", "a.localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "0.0.0.0:1"),
        *("[::ffff:127.0.0.1]:1", "dns:///localhost:1", "dns:localhost:1", "ipv4:127.0.0.1:1", "unix:/run/hopfield"),
        *("127.0.0.1:1,127.0.0.1:2", "10.0.0.1:1,10.0.0.2:2"),
    ],
)
def test_no_proxy_leads_to_this_machine_nor_to_several_addresses(address: str) -> None:
    assert options_for(address)["grpc.enable_http_proxy"] == 0
    assert addresses_of(address).hint({"http_proxy": "http://proxy:3128"}) == ""


@pytest.mark.parametrize("address", ["memories.example.org:443", "10.0.0.1:1", "dns:///hopfield:50051"])
def test_a_proxy_may_lead_elsewhere_and_errors_name_it_without_its_password(address: str) -> None:
    assert "grpc.enable_http_proxy" not in options_for(address)
    hint = addresses_of(address).hint({"http_proxy": "http://user:secret@proxy:3128", "no_proxy": ".example.com"})
    assert hint == " by way of the proxy proxy:3128, which http_proxy names; no_proxy makes exceptions"
    assert addresses_of(address).hint({}) == ""


def test_an_exception_from_the_proxy_is_none_of_its_errors() -> None:
    environment = {"http_proxy": "http://proxy:3128", "no_proxy": "example.com, example.org"}
    assert addresses_of("memories.example.org:443").hint(environment) == ""


def test_a_client_says_what_it_is_connected_to() -> None:
    with HopfieldClient(["10.0.0.1:1", "10.0.0.2:2"]) as client:
        assert repr(client) == "HopfieldClient('10.0.0.1:1,10.0.0.2:2')"


def test_a_proxy_in_the_environment_does_not_stand_between_a_client_and_this_machine(
    connect: Connect, server: ServiceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    port = server.address.rpartition(":")[2]
    for address in (server.address, f"localhost:{port}", f"dns:///localhost:{port}"):
        assert connect(address).server_info().version


def test_the_error_of_a_proxy_names_it(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"by way of the proxy 127\.0\.0\.1:9, which http_proxy names") as raised:
        connect("192.0.2.1:50051", timeout=0.5).server_info()
    assert "secret" not in str(raised.value)
