"""A client of the language server: JSON-RPC over the pipes of a process, as editors speak it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from pbpkc.cli import main; main()", "language-server"]


class Client:
    """One server and what is said to it. Every wait ends after `patience` times ten seconds."""

    def __init__(self, folder: Path, *options: str, patience: float = 1.0) -> None:
        self.folder, self.longest = folder, 10 * patience
        self.process = subprocess.Popen(
            [*COMMAND, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.published: list[dict[str, Any]] = []
        self.number = 0
        self.version = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while (line := stream.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                self.messages.put(None)
                return
            self.messages.put(json.loads(stream.read(length)))

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def tell(self, method: str, **params: Any) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole answer: it has a `result` or an `error`."""
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self._next(self.longest)
            if message.get("id") == self.number and "method" not in message:
                return message
            self._keep(message)

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.request(method, **params)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self, longest: float) -> dict[str, Any]:
        message = self.messages.get(timeout=max(0.01, longest))
        assert message is not None, "the server ended"
        return message

    def _keep(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self.published.append(message["params"])

    # ---------------------------------------------------------------- what editors do

    def initialize(self) -> dict[str, Any]:
        folder = {"uri": self.folder.as_uri(), "name": "specs"}
        result: dict[str, Any] = self.ask(
            "initialize",
            processId=os.getpid(),
            rootUri=self.folder.as_uri(),
            workspaceFolders=[folder],
            capabilities={"workspace": {"workspaceFolders": True}},
        )
        self.tell("initialized")
        return result

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str) -> None:
        self.version += 1
        document = {"uri": self.uri(name), "languageId": "pbpk", "version": self.version, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)

    def change(self, name: str, text: str) -> None:
        self.version += 1
        document = {"uri": self.uri(name), "version": self.version}
        self.tell("textDocument/didChange", textDocument=document, contentChanges=[{"text": text}])

    def problems(self, name: str, longest: float | None = None) -> list[dict[str, Any]]:
        """The problems of the newest version of a text, waiting until they are told."""
        end = time.monotonic() + (longest or self.longest)
        while True:
            for told in reversed(self.published):
                if told["uri"] == self.uri(name) and told.get("version") == self.version:
                    found: list[dict[str, Any]] = told["diagnostics"]
                    return found
            self._keep(self._next(end - time.monotonic()))

    def at(self, name: str, text: str, mark: str) -> dict[str, Any]:
        """Document and position: where `|` stands in `mark`, which is looked for in the text."""
        before, after = mark.split("|")
        offset = text.index(before + after) + len(before)
        return self.position(name, text, offset)

    def position(self, name: str, text: str, offset: int) -> dict[str, Any]:
        line = text.count("\n", 0, offset)
        column = text[text.rfind("\n", 0, offset) + 1 : offset]
        character = len(column.encode("utf-16-le")) // 2
        return {
            "textDocument": {"uri": self.uri(name)},
            "position": {"line": line, "character": character},
        }

    def leave(self) -> int:
        """Shut the server down as an editor does; its exit status."""
        self.ask("shutdown")
        self.tell("exit")
        return self.ended()

    def ended(self) -> int:
        """The exit status of a server that is about to end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=self.longest)

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
