"""Callbacks over real TLS on loopback: only a trusted certificate of the host's name is accepted."""

import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from darkroom.adapters.http_callbacks import HttpCallbacks, connections
from darkroom.adapters.signing.callback_secrets import CallbackSecrets
from darkroom.domain.callbacks import ReceiverResponse

from testing.deliveries import a_delivery
from testing.fakes.time_and_ids import ManualClock

NAME = "receiver.example"


def certificate(folder: Path, name: str, age_days: int = 1) -> Path:
    """Return a file with a key and a self-signed certificate of `name`, valid for a month."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    began = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=age_days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def receiver(pem: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield its port, and the hosts of the requests that it gets."""
    hosts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open if the sender lets them

        def do_POST(self) -> None:
            hosts.append(self.headers["host"])
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a handshake that fails is what we want
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, hosts
    server.shutdown()
    server.server_close()


def sent(port: int, trusted: Path | None) -> ReceiverResponse:
    """Send a callback to the name, which is resolved to loopback, and trust the certificate `trusted`."""
    [response] = sent_to(port, trusted, NAME)
    return response


def sent_to(port: int, trusted: Path | None, *names: str) -> list[ReceiverResponse]:
    """Send a callback to each of the names, one after the other, with one sender."""
    context = ssl.create_default_context(cafile=trusted)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    sender = HttpCallbacks(
        CallbackSecrets(lambda: "the-master").of,
        ManualClock(),
        private=True,  # loopback is no public address
        transport=connections(context),
        resolve=resolve,
    )
    try:
        return [sender.send(a_delivery(url=f"https://{name}:{port}/hook")) for name in names]
    finally:
        sender.close()


def test_a_trusted_certificate_of_the_host_name_is_accepted(
    tmp_path: Path,
) -> None:
    pem = certificate(tmp_path, NAME)
    with receiver(pem) as (port, hosts):
        assert sent(port, pem) == ReceiverResponse(status=200)
        assert hosts == [f"{NAME}:{port}"]


@pytest.mark.parametrize("name", [NAME, "another.example"])
def test_an_untrusted_certificate_or_one_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    pem = certificate(tmp_path, name)
    with receiver(pem) as (port, hosts):
        response = sent(port, None if name == NAME else pem)
        assert (response.status, response.error) == (None, "ConnectError")
        assert hosts == []


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, NAME, age_days=365)
    with receiver(pem) as (port, hosts):
        assert sent(port, pem).error == "ConnectError"
        assert hosts == []


def test_a_connection_to_one_name_is_not_used_for_another_at_the_same_address(tmp_path: Path) -> None:
    pem = certificate(tmp_path, NAME)
    with receiver(pem) as (port, hosts):
        first, other = sent_to(port, pem, NAME, "another.example")
        assert first == ReceiverResponse(status=200)
        assert (other.status, other.error) == (None, "ConnectError")
        assert hosts == [f"{NAME}:{port}"]
