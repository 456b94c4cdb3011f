from __future__ import annotations

import pytest

from orchestrator.manifest.urls import complaint_about
from tests.test_hosts import PRIVATE

PUBLIC = [
    "https://cdn.example.com/a.png",
    "https://cdn.example.com:8443/a.png?X-Amz-Signature=x&y=%20#part",
    "https://8.8.8.8/a.png",
    "https://[2606:4700::1111]/a.png",
    "https://bücher.example/a.png",
    "HTTPS://CDN.EXAMPLE.COM/a.png",
    "https://1password.com/a.png",
    "https://\u05d3\u05d5\u05d2\u05de\u05d41.co.il/a.png",
]
NOT_PUBLIC = [
    *(f"https://{host}/a" for host in PRIVATE), "https://localhost/a", "https://LOCALHOST./a",
    "https://x.localhost/a", "https://printer.local/a", "https://nas.lan/a",
    "https://metadata.google.internal/a", "https://intranet/a", "https:///a", "https://999.1.1.1/a",
    "https://127\u30020\u30020\u30021/a", "https://%31%32%37.0.0.1/a",
]  # fmt: skip
NOT_HTTPS = ["http://cdn.example.com/a", "ftp://cdn.example.com/a", "file:///etc/passwd", "data:,x"]
NOT_URLS = [
    "https://cdn.example.com/a b", "https://[::1/a", "https://cdn.example.com:port/a",
    "https://cdn.example.com/\n", "https://cdn.example.com\\@10.0.0.1/",
    "https://user@cdn.example.com/a", "https://user:secret@cdn.example.com/a",
]  # fmt: skip


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_url_is_taken(url: str) -> None:
    assert complaint_about(url) is None


@pytest.mark.parametrize("url", [*NOT_PUBLIC, *NOT_HTTPS, *NOT_URLS])
def test_anything_else_is_refused_with_what_to_do(url: str) -> None:
    complaint = complaint_about(url)

    assert complaint is not None
    message, hint = complaint
    assert message
    assert hint
    assert "secret" not in message
