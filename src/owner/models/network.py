"""Which addresses are out on the internet, and which are somebody's own network."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCALHOST: Final = "localhost"


def is_public(address: IPAddress) -> bool:
    """Whether the address, and the one that may be wrapped in it, is out on the internet."""
    wrapped = _wrapped(address)
    if wrapped is not None:
        return is_public(wrapped)
    is_odd = address.is_multicast or address.is_reserved
    is_site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not is_odd and not is_site_local


def may_reach(address: IPAddress, allowed: Sequence[IPNetwork]) -> bool:
    """Whether we may connect: to the internet, and to the networks that the operator allowed."""
    wrapped = _wrapped(address)
    if wrapped is not None:
        return may_reach(wrapped, allowed)
    return is_public(address) or any(address in network for network in allowed)


def parse_networks(text: str) -> list[IPNetwork]:
    """Networks such as `10.0.0.0/8, fd00::/8`; raises ValueError, naming the one that is none."""
    return [ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip()]


def literal_address(host: str) -> IPAddress | None:
    """The address that a host is without asking anybody, in any of its spellings: `127.0.0.1`, `0x7f.1`, `[::1]`."""
    bare = host.strip("[]").partition("%")[0]
    if bare.rstrip(".").lower() == _LOCALHOST or bare.rstrip(".").lower().endswith(f".{_LOCALHOST}"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except (OSError, UnicodeError):
        return None


def _wrapped(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
