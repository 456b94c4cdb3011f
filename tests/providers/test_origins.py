from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.providers.origins import (
    AddressRefused,
    Origin,
    check_public_url,
    credential_trouble,
    guarded_socket,
)
from tests.test_hosts import PRIVATE, PUBLIC


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("loopback_allowed", [False, True])
def test_a_url_to_an_address_that_is_not_public_is_refused(host, loopback_allowed):
    plain = host in ("127.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]")
    if loopback_allowed and plain:
        return
    for scheme in ("https", "http"):
        assert check_public_url(f"{scheme}://{host}/v.mp4", loopback_allowed=loopback_allowed)
        assert check_public_url(f"{scheme}://{host}:8443/v", loopback_allowed=loopback_allowed)


@pytest.mark.parametrize("host", PUBLIC)
def test_a_public_https_url_passes_and_http_does_not(host):
    assert check_public_url(f"https://{host}/v.mp4?sig=a%2Fb", loopback_allowed=False) is None
    assert check_public_url(f"http://{host}/v.mp4", loopback_allowed=True) == "the URL is not https"


@pytest.mark.parametrize(
    "url",
    [
        "", "cdn.example.com/v.mp4", "ftp://cdn.example.com/v", "file:///etc/passwd",
        "https://", "https:///v.mp4", "https://user@cdn.example.com/v",
        "https://user:word@cdn.example.com/v", "https://cdn.example.com\\@127.0.0.1/v",
        "https://cdn.example.com /v", "https://cdn.example.com/\nv", "https://cdn.example.com:x/v",
        "https://[::1/v", "https://localhost/v", "https://api.localhost/v", "https://printer/v",
        "https://metadata.google.internal/v", "https://nas.local/v", "https://1.2.3.999/v",
        "https://1.2.3.4.5/v", "https://127\u30020\u30020\u30021/v", "https://\uff11\uff12\uff17.0.0.1/v",
        "https://%31%32%37.0.0.1/v", "https://[fe80::1%25eth0]/v", "https://..../v",
    ],
)  # fmt: skip
def test_a_url_that_is_not_plainly_public_is_refused(url):
    assert check_public_url(url, loopback_allowed=False)


def test_loopback_is_accepted_only_where_the_provider_is_on_loopback():
    for url in ("http://127.0.0.1:8000/v", "http://localhost/v", "https://[::1]:9/v"):
        assert check_public_url(url, loopback_allowed=True) is None
        assert check_public_url(url, loopback_allowed=False)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_a_crash(text):
    check_public_url(text, loopback_allowed=False)
    check_public_url(f"https://{text}", loopback_allowed=True)


def info_of(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))


def literal(host):
    text = host.strip("[]")
    return (
        str(ipaddress.ip_address(text))
        if ":" in text
        else socket.inet_ntoa(socket.inet_aton(text.rstrip(".")))
    )


@pytest.mark.parametrize("host", PRIVATE)
def test_no_socket_is_made_for_an_address_that_is_not_public(host):
    with pytest.raises(AddressRefused):
        guarded_socket(loopback_allowed=False)(info_of(literal(host)))


@pytest.mark.parametrize("host", [name for name in PUBLIC if name[-1].isdigit() or "[" in name])
def test_a_socket_is_made_for_a_public_address(host):
    guarded_socket(loopback_allowed=False)(info_of(literal(host))).close()


def test_loopback_alone_is_let_in_by_the_socket_guard_when_allowed():
    factory = guarded_socket(loopback_allowed=True)
    factory(info_of("127.0.0.1")).close()
    for address in ("10.0.0.1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0"):
        with pytest.raises(AddressRefused):
            factory(info_of(address))


# --- base URLs ----------------------------------------------------------------------------------


def test_a_base_url_becomes_an_origin_with_its_prefix():
    assert Origin.from_url("https://Rivya.ai/") == Origin("https", "rivya.ai", 443)
    assert Origin.from_url("https://gate.example:8443/rivya/") == Origin(
        "https", "gate.example", 8443, "/rivya"
    )
    assert Origin.from_url("http://[::1]:7000") == Origin("http", "::1", 7000)


@pytest.mark.parametrize(
    ("base", "url", "text"),
    [
        ("https://rivya.ai", "https://rivya.ai/api/v1/x", "https://rivya.ai"),
        ("https://a.example:444/p", "https://a.example:444/p/api/v1/x", "https://a.example:444"),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001/api/v1/x", "http://127.0.0.1"),
        ("http://localhost:80", "http://localhost/api/v1/x", "http://127.0.0.1"),
        ("http://[::1]:1", "http://[::1]:1/api/v1/x", "http://127.0.0.1"),
        ("https://127.0.0.9:1/p", "https://127.0.0.9:1/p/api/v1/x", "http://127.0.0.1"),
    ],
)
def test_urls_are_built_below_the_base_and_loopback_ports_do_not_count(base, url, text):
    origin = Origin.from_url(base)
    assert origin.url("/api/v1/x") == url
    assert origin.text == text
    assert origin.loopback == (text == "http://127.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        "", "rivya.ai", "ftp://rivya.ai", "http://rivya.ai", "http://10.0.0.1",
        "http://127.0.0.1.example.com", "http://2130706433", "https://", "https://:443",
        "https://user@rivya.ai", "https://k3y:s3cret@rivya.ai", "https://rivya.ai?x=1",
        "https://rivya.ai?", "https://rivya.ai#x", "https://rivya.ai:0", "https://rivya.ai:99999",
        "https://rivya.ai:port", "https://[::1", "https://riv ya.ai", "https://rivya.ai\n",
        "https://rivya.ai\\evil.example", "https://riv%79a.ai", "https://rivÿa.ai",
    ],
)  # fmt: skip
def test_a_base_url_that_a_key_should_not_go_to_is_refused(text):
    with pytest.raises(UsageError) as refusal:
        Origin.from_url(text)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    "path", ["", "x", ".evil.example/x", "@evil.example", "/a b", "/a\r\nX: y"]
)
def test_a_path_cannot_lead_away_from_the_origin(path):
    with pytest.raises(ValueError, match="not a path"):
        Origin.from_url("https://rivya.ai").url(path)


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("https://rivya.ai/api", "https://rivya.ai"),
        ("https://rivya.ai:8443", "https://rivya.ai:8443"),
        ("http://127.0.0.1:8700/rivya", "http://127.0.0.1:8700"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_a_site_is_scheme_host_and_a_port_that_is_not_the_schemes(text, site):
    assert Origin.from_url(text).site == site


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("sk-canary_47.11=", None),
        ("", "is empty"),
        ("sk canary", "holds a space"),
        ("sk-canary ", "holds a space"),
        ("sk\u00a0canary", "holds a space"),
        ("sk\ncanary", "holds a line break"),
        ("sk\r\ncanary", "holds a line break"),
        ("schlüssel", "holds a character that is not ASCII"),
        ("sk\u200bcanary", "holds a character that is not ASCII"),
        ("sk\0canary", "holds a control character"),
    ],
)
def test_a_credential_is_what_a_header_can_carry(text, trouble):
    assert credential_trouble(text) == trouble


@given(st.text())
def test_a_text_that_passes_for_a_credential_is_printable_ascii_without_spaces(text):
    if credential_trouble(text) is None:
        assert text.isascii()
        assert text.isprintable()
        assert " " not in text
