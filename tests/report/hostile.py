"""Texts that try to become more than text, and a page's elements to see whether one did."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from orchestrator.ledger.store import StoredFile
from tests.ledger.material import make_job, write
from tests.report.material import fail, ledger_of, store

if TYPE_CHECKING:
    from orchestrator.ledger.sqlite.ledger import SqliteLedger

#: `{origin}` is where a request would go.
TEXTS = (
    "<script>document.title='owned'</script>",
    "</script><script src={origin}/script.js></script>",
    "</style></title></textarea><img src={origin}/image.png onerror=document.title='owned'>",
    "\"><svg onload=\"document.title='owned'\"><image href='{origin}/svg.png'/></svg>",
    "' autofocus onfocus='document.title=\"owned\"",
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}{% raw %}",
    "<meta http-equiv=refresh content='0; url={origin}/refresh'>",
    "<base href={origin}/><link rel=stylesheet href={origin}/style.css>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m \u202egnp.exe \u2066",
    "lone \ud800 half",
)


def ledger_of_texts(texts: tuple[str, ...]) -> SqliteLedger:
    """A ledger with each text as one job's key, prompt, model and path, and as another's reason."""
    writable = [text.encode("utf-8", "replace").decode() for text in texts]
    ledger = ledger_of(
        *[
            make_job(f"{number}/{writable[number]}/{end}", prompt=text, model=writable[number])
            for number, text in enumerate(texts)
            for end in ("made", "lost")
        ]
    )
    for number, text in enumerate(texts):
        row = 2 * number + 1
        store(ledger, row, f"videos/{number}.mp4")
        file = StoredFile(f"videos/{writable[number]}/{number}.mp4", 10, "ab" * 32)
        write(ledger, row, "moved", files=[file])
        fail(ledger, row + 1, "failed", text, text)
    return ledger


class Elements(HTMLParser):
    """The elements of a page in order, their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data
