"""A fake of the CDN in front of the bucket: it serves status documents to anybody, and nothing else."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import ClientError
from darkroom.adapters.signing.image_links import STATUS_PREFIX


class Server(ThreadingHTTPServer):
    """A server on a free port of loopback. It responds with 403 before `serve_documents` names the bucket."""

    daemon_threads = True

    def __init__(self) -> None:
        self.get_object: Callable[[str], dict[str, Any]] | None = None
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Return the address at which it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def serve_documents(self, s3: Any, bucket: str) -> None:
        """Serve the documents in `bucket` from now on; `s3` is a boto3 client."""
        self.get_object = lambda key: s3.get_object(Bucket=bucket, Key=key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Send a document, 304 when it has not changed, or 403 for everything else, as CloudFront with S3."""
        key = self.path.removeprefix("/")
        if self.server.get_object is None or not key.startswith(STATUS_PREFIX):
            return self._send(403)
        try:
            found = self.server.get_object(key)
        except ClientError:
            return self._send(403)
        body = found["Body"].read()
        headers = {
            "ETag": found["ETag"],
            "Cache-Control": found["CacheControl"],
            "Content-Type": found["ContentType"],
            "Access-Control-Allow-Origin": "*",
        }
        if self.headers.get("If-None-Match") == found["ETag"]:
            return self._send(304, headers)
        return self._send(200, headers, body)

    def _send(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing."""
