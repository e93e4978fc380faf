"""Counts what functions ask of AWS: stands between them and the emulator, and passes everything on."""

import http.client
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Proxy(ThreadingHTTPServer):
    """Listens on a free port of the loopback interface; `target` (host, port) is set before it is asked."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.target = ("127.0.0.1", 0)
        self.calls = Counter[tuple[str, str]]()
        """(service, operation) → how often; items in transactions are counted as `dynamodb items ...` too."""
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, calls: Counter[tuple[str, str]]) -> None:
        """Add `calls`."""
        with self._lock:
            self.calls.update(calls)

    def taken(self) -> Counter[tuple[str, str]]:
        """What was counted since the last time."""
        with self._lock:
            taken, self.calls = self.calls, Counter()
        return taken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def handle(self) -> None:
        """One connection of a function, and one of its own to the emulator."""
        self.onward = http.client.HTTPConnection(*self.server.target, timeout=60)
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # a function was ended, or breaks a request off
        finally:
            self.onward.close()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.count(asked(self.command, self.path, self.headers, body))
        sent = {n: v for n, v in self.headers.items() if n.lower() not in {"connection", "expect"}}
        self.onward.request(self.command, self.path, body=body, headers=sent)
        answer = self.onward.getresponse()
        content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", answer.headers.get("content-length", str(len(content))))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet: the counts say it all."""


def asked(method: str, path: str, headers: Any, body: bytes) -> Counter[tuple[str, str]]:
    """What one request asks of which service."""
    target = headers.get("x-amz-target", "")
    if target.startswith("DynamoDB_"):
        return _of_dynamodb(target.rpartition(".")[2], json.loads(body))
    if target:
        return Counter([(target.partition(".")[0], target.rpartition(".")[2])])
    parts = urlsplit(path)
    if found := _INVOKE.fullmatch(parts.path):
        return Counter([("lambda", f"invoke {found['name'].rpartition(':')[2]}")])
    if "list-type" in parse_qs(parts.query):
        return Counter([("s3", "LIST")])
    return Counter([("s3", method)])


def _of_dynamodb(operation: str, body: dict[str, Any]) -> Counter[tuple[str, str]]:
    counted = Counter([("dynamodb", operation)])
    reads = {"GetItem": 1, "TransactGetItems": len(body.get("TransactItems", [])), "Query": 1}
    writes = {"PutItem": 1, "UpdateItem": 1, "TransactWriteItems": len(body.get("TransactItems", []))}
    tables = body.get("RequestItems", {}).values()
    reads["BatchGetItem"] = sum(len(table.get("Keys", [])) for table in tables)
    counted["dynamodb", "items read"] = reads.get(operation, 0)
    counted["dynamodb", "items written"] = writes.get(operation, 0)
    return +counted
