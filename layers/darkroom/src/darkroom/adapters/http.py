"""The HTTP client of a worker: one pool of connections, kept warm between invocations."""

import httpx


def client(concurrency: int, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for `concurrency` requests at once.

    Redirects are never followed. The time-outs only bound silence on a socket: whoever calls bounds
    the whole, because a body may trickle for ever.
    """
    return httpx.AsyncClient(
        transport=transport,
        follow_redirects=False,
        timeout=httpx.Timeout(connect=5, write=10, read=60, pool=None),
        limits=httpx.Limits(max_connections=concurrency + 4, max_keepalive_connections=concurrency + 4),
    )
