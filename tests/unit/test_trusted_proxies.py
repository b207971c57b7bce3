import pytest

from owner.models.errors import Misconfigured
from owner.models.trusted_proxies import TrustedProxies

PROXIES = TrustedProxies.parse("10.0.0.0/8, 127.0.0.1, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "caller"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # a stranger's header is not believed
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),  # what the caller made up stands before
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1:4711"], "198.51.100.1"),  # as some proxies write it
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2:443"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1:2:3:4:5:6]:4711"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["nonsense"], "unknown"),
        ("10.0.0.1", ["198.51.100.1:"], "unknown"),
        ("10.0.0.1", ["[198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4,"], "unknown"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_the_caller_is_the_last_hop_that_is_no_proxy_of_ours(
    peer: str | None, forwarded_for: list[str], caller: str
) -> None:
    assert PROXIES.caller(peer, forwarded_for) == caller


def test_without_proxies_no_header_is_believed() -> None:
    assert TrustedProxies.parse("").caller("10.0.0.1", ["198.51.100.1"]) == "10.0.0.1"


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"OWNER_TRUSTED_PROXIES: .* such as 10\.0\.0\.0/8"):
        TrustedProxies.parse(text)
