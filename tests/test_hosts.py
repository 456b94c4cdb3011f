from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import hosts

#: Spellings of addresses that are not public: all entry points have to refuse every one.
PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
    "127.0.0.1.", "0", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "3232235777",
    "169.254.169.254", "0xa9fea9fe", "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001::1]", "[2001:db8::1]", "[3fff::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[100::1]", "[5f00::1]",
]  # fmt: skip

PUBLIC = [
    "8.8.8.8", "1.1.1.1", "[2606:4700::1111]", "[64:ff9b::808:808]", "[2002:808:808::1]",
    "[::ffff:8.8.8.8]", "cdn.example.com", "xn--bcher-kva.example", "134744072",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_a_host_that_is_not_public_is_refused_in_every_spelling(host):
    assert hosts.refusal(hosts.looked_up(host.strip("[]"))) is not None


@pytest.mark.parametrize("host", ["localhost", "home.arpa", "nas.home.arpa", "printer", "x.lan"])
def test_a_name_that_is_never_public_is_refused(host):
    assert hosts.refusal(host) == f"{host} is not a public name"


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_host_is_not_refused(host):
    assert hosts.refusal(hosts.looked_up(host.strip("[]"))) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("cdn.example.com.", "cdn.example.com"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
    ],
)
def test_a_host_is_judged_as_it_would_be_looked_up(host, name):
    assert hosts.looked_up(host) == name


@pytest.mark.parametrize("host", ["a..\u00fc.example", "a" * 70 + "\u00fc.example"])
def test_a_name_that_cannot_be_looked_up_is_no_host(host):
    with pytest.raises(UnicodeError):
        hosts.looked_up(host)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_as_public_inside_ipv6_as_it_is_alone(number):
    alone = hosts.is_public(ipaddress.IPv4Address(number))
    for base in (0xFFFF << 32, 0x64FF9B << 96):
        assert hosts.is_public(ipaddress.IPv6Address(base + number)) == alone
    assert hosts.is_public(ipaddress.IPv6Address((0x2002 << 112) + (number << 80))) == alone
