"""Forward connections from another address of this machine to the same port of 127.0.0.1."""

import errno
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def forwarding(address: str, port: int) -> Iterator[None]:
    """Forward `port` of `address` to 127.0.0.1 while the block runs.

    Does nothing when `address` is not one of this machine's: then the machine that owns it forwards.
    """
    try:
        server = _Server(address, port)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        yield
        return
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, port), _Connection)
        self.port = port


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        try:
            target = socket.create_connection(("127.0.0.1", self.server.port), timeout=5)
        except OSError:
            return  # nothing listens there now: the client sees its connection closed
        target.settimeout(None)
        with target:
            back = threading.Thread(target=_copy, args=(target, self.request), daemon=True)
            back.start()
            _copy(self.request, target)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until `source` ends, then end `target`."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
