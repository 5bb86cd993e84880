"""Where servers are: one address or several, as the caller writes them and as gRPC takes them."""

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hopfield_client._errors import InvalidArgument

_HOST_AND_PORT = re.compile(r"([^\s:/,\[\]]+|\[[^\s/,\[\]]+\]):([0-9]{1,5})")
_TARGET = re.compile(r"(unix|unix-abstract|dns|ipv4|ipv6):.+")
_LOCAL_NAMES = re.compile(r"(.+\.)?localhost\.?", re.IGNORECASE)
_LOOPBACK = "127.0.0.1"
# In the order in which gRPC looks at them.
_PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
_NO_PROXY_VARIABLES = ("no_grpc_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Addresses:
    """The servers of a client.

    Attributes:
        text: as the caller wrote them, for messages.
        target: as gRPC takes them.
        spread: whether they may be several, so that calls go to each in turn.
        checks_health: whether calls go only to servers that say they serve. Not of one name: where a single server
            stands behind it, that one serves on while it drains, and no other could take its calls.
        local: whether they are all on this machine, which no proxy leads to.
    """

    text: str
    target: str
    spread: bool
    checks_health: bool
    local: bool

    def hint(self, environment: Mapping[str, str] = os.environ) -> str:
        """Say what on the way there may be the cause of an error: a proxy that the environment names; "" if nothing is."""
        if self.local or "," in self.target:
            return ""
        variable = next((name for name in _PROXY_VARIABLES if environment.get(name)), None)
        if variable is None:
            return ""
        host = re.sub(r"^dns:(//[^/]*/)?", "", self.target).rpartition(":")[0]
        exceptions = next((environment[name] for name in _NO_PROXY_VARIABLES if environment.get(name)), "")
        if any(host.endswith(suffix.strip()) for suffix in exceptions.split(",") if suffix.strip()):
            return ""
        # Without a user and a password.
        proxy = environment[variable].rpartition("@")[2]
        return f" by way of the proxy {proxy}, which {variable} names; no_proxy makes exceptions"


def addresses_of(address: Any) -> Addresses:
    """Read one address, or several in a sequence or with commas between them.

    Raises:
        InvalidArgument: one is neither "host:port" nor a target as gRPC spells them, or one of several is no IP address.
    """
    if isinstance(address, str):
        if match := _TARGET.fullmatch(address):
            return _of_target(address, match[1])
        parts: Sequence[Any] = address.split(",")
    elif isinstance(address, Sequence) and not isinstance(address, bytes | bytearray) and address:
        parts = address
        if len(parts) == 1 and isinstance(parts[0], str):
            return addresses_of(parts[0])
    else:
        raise InvalidArgument(
            f"address is {address!r}; it must be a string as 'host:port', or a list of them", field="address"
        )
    servers = [_host_and_port(part, address) for part in parts]
    if len(servers) > 1:
        return _of_several(servers)
    host, port = servers[0]
    name = _ip(host) is None and not _LOCAL_NAMES.fullmatch(host)
    return Addresses(f"{host}:{port}", f"{host}:{port}", spread=name, checks_health=False, local=_is_local(host))


def _host_and_port(part: Any, address: Any) -> tuple[str, int]:
    match = (
        _HOST_AND_PORT.fullmatch(part.strip(" ") if isinstance(address, str) and "," in address else part)
        if (isinstance(part, str))
        else None
    )
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise InvalidArgument(
            f"address is {address!r}; it must be 'host:port' with a port of 1 to 65535, several of them as "
            "'ip:port,ip:port' or in a list, a name of several servers as 'dns:///name:port', or 'unix:/path'",
            field="address",
        )
    return match[1], int(match[2])


def _of_target(target: str, scheme: str) -> Addresses:
    rest = target.partition(":")[2]
    if scheme == "dns":
        host = rest.rpartition("/")[2].rpartition(":")[0] or rest.rpartition("/")[2]
        return Addresses(target, target, spread=True, checks_health=True, local=_is_local(host))
    by_ip = scheme in {"ipv4", "ipv6"}
    servers = rest.split(",")
    several = by_ip and len(servers) > 1
    local = not by_ip or all(_is_local(server.rpartition(":")[0]) for server in servers)
    return Addresses(target, target, spread=several, checks_health=several, local=local)


def _of_several(servers: Sequence[tuple[str, int]]) -> Addresses:
    found = []
    for host, port in servers:
        ip = _ip(_LOOPBACK if _LOCAL_NAMES.fullmatch(host) else host)
        if ip is None:
            raise InvalidArgument(
                f"address lists the name {host}: a list must be of IP addresses; a name that stands for several servers "
                "is 'dns:///name:port'",
                field="address",
            )
        found.append((ip, port))
    text = ",".join(f"{host}:{port}" for host, port in servers)
    if all(isinstance(ip, ipaddress.IPv4Address) for ip, _ in found):
        target = "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in found)
    else:
        # gRPC takes addresses of one family in a target; those of IPv4 have a form in IPv6.
        target = "ipv6:" + ",".join(
            f"[::ffff:{ip}]:{port}" if isinstance(ip, ipaddress.IPv4Address) else f"[{ip}]:{port}" for ip, port in found
        )
    local = all(_is_local(host) for host, _ in servers)
    return Addresses(text, target, spread=True, checks_health=True, local=local)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_local(host: str) -> bool:
    ip = _ip(host)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return bool(_LOCAL_NAMES.fullmatch(host)) or (ip is not None and (ip.is_loopback or ip.is_unspecified))
