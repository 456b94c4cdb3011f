"""A client of the editors' language server, over the Language Server Protocol on stdio."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Longest silence of a server that owes an answer, in seconds.
_PATIENCE = 30

Message = dict[str, Any]


class LanguageServer:
    """One server process; `with` starts it and ends it."""

    def __init__(self, command: list[str], schemas: Mapping[str, list[str]]) -> None:
        """`schemas` maps a schema's URI to patterns of the files that it is for."""
        self._command = command
        self._settings: Message = {
            "yaml": {
                "schemas": dict(schemas),
                "schemaStore": {"enable": False},
                "validate": True,
                "completion": True,
            }
        }
        self._received: queue.Queue[Message | None] = queue.Queue()
        self._requests = 0
        self._documents = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        workspace = {"configuration": True}
        self._ask("initialize", processId=None, rootUri=None, capabilities={"workspace": workspace})
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings=self._settings)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def diagnostics(self, documents: Mapping[Path, str]) -> dict[Path, list[str]]:
        """What is wrong in each of some documents that are opened at once."""
        paths = {path.as_uri(): path for path in documents}
        for uri, path in paths.items():
            self._open(uri, documents[path])
        found: dict[Path, list[str]] = {}
        while len(found) < len(paths):
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics":
                uri, several = message["params"]["uri"], message["params"]["diagnostics"]
                if uri in paths:
                    found[paths[uri]] = [one["message"] for one in several]
        for uri in paths:
            self._tell("textDocument/didClose", textDocument={"uri": uri})
        return found

    def offers(self, folder: Path, text: str) -> list[Message]:
        """The completions where a new document in this folder is being written, at its end."""
        self._documents += 1
        uri = (folder / f"document-{self._documents}.yaml").as_uri()
        self._open(uri, text)
        *above, line = text.split("\n")
        place = {"line": len(above), "character": len(line)}
        found = self._ask("textDocument/completion", textDocument={"uri": uri}, position=place)
        self._tell("textDocument/didClose", textDocument={"uri": uri})
        items: list[Message] = found["items"] if isinstance(found, dict) else found
        return items

    def _open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", textDocument=document)

    # --- the protocol --------------------------------------------------------------------------

    def _tell(self, method: str, **params: object) -> None:
        self._send({"method": method, "params": params})

    def _ask(self, method: str, **params: object) -> Any:
        self._requests += 1
        self._send({"id": self._requests, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self._requests and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _next(self) -> Message:
        """The next message; what the server asks is answered on the way."""
        message = self._received.get(timeout=_PATIENCE)
        assert message is not None, "the server ended"
        if "method" in message and "id" in message:
            answer: object = None
            if message["method"] == "workspace/configuration":
                wanted = [item.get("section") for item in message["params"]["items"]]
                answer = [self._settings.get(section, {}) for section in wanted]
            self._send({"id": message["id"], "result": answer})
        return message

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            length = 0
            while (header := stream.readline().strip().lower()) != b"":
                name, _colon, value = header.partition(b":")
                length = int(value) if name == b"content-length" else length
            if not length:
                self._received.put(None)
                return
            self._received.put(json.loads(stream.read(length)))
