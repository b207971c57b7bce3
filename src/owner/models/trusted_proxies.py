"""Tells who really calls when proxies stand in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from owner.models.errors import Misconfigured
from owner.models.network import IPAddress, IPNetwork, parse_networks

UNKNOWN: Final = "unknown"
_SUBSCRIBER: Final = 64  # bits of an IPv6 address that one subscriber has; the others are theirs to choose


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed; without any, nobody's is."""

    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "TrustedProxies":
        """Addresses and networks, comma-separated; raises `Misconfigured`."""
        try:
            return cls(tuple(parse_networks(text)))
        except ValueError as problem:
            raise Misconfigured(
                f"OWNER_TRUSTED_PROXIES: {problem}; name addresses or networks, such as 10.0.0.0/8.",
                field="OWNER_TRUSTED_PROXIES",
            ) from problem

    def caller(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Who calls: the last hop that is no proxy of ours. What comes before it may be made up.

        An IPv6 address is cut to its subscriber's network, so that its owner counts as one.
        """
        caller = peer or UNKNOWN
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
        while hops and self._is_trusted(caller):
            caller = hops.pop()
        return _subscriber(caller)

    def _is_trusted(self, address: str) -> bool:
        try:
            return any(_plain(address) in network for network in self.networks)
        except ValueError:
            return False


def _plain(address: str) -> IPAddress:
    parsed = ip_address(_without_port(address))
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _without_port(hop: str) -> str:
    """Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`; all callers would be one, if that were no address."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.partition(":")
    return host if port.isdecimal() and "." in host else hop


def _subscriber(address: str) -> str:
    try:
        parsed = _plain(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed.packed[:8] + bytes(8), _SUBSCRIBER)))
    return str(parsed)
