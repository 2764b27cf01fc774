"""A real server behind a door that lets through less: no prompts of ids, or nothing but chat."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx2


class Narrowed:
    """Forwards what is asked to the server at `behind`; what it `reads` no longer is refused."""

    def __init__(self, behind: str, reads: Literal["text", "chat"]) -> None:
        self.behind, self.reads = behind, reads
        handler = type("Bound", (_Door,), {"narrowed": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def pass_on(self, path: str, body: Any) -> tuple[int, bytes]:
        """Status and answer."""
        if body is None:
            answer = httpx2.get(self.behind + path)
        elif path == "/v1/chat/completions" if self.reads == "chat" else isinstance(body.get("prompt"), str):
            answer = httpx2.post(self.behind + path, json=body, timeout=30)
        else:
            return 404, b'{"error": {"message": "not here"}}'
        return answer.status_code, answer.content


class _Door(BaseHTTPRequestHandler):
    narrowed: Narrowed
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer of two parts waits 40 ms for its second

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        status, content = self.narrowed.pass_on(self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
