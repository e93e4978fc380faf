"""The HTTP client of a worker: one pool of connections, kept warm between invocations."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

USER_AGENT = "Darkroom"
"""Name under which every request is sent."""


def client(concurrency: int, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client for `concurrency` requests at once.

    It follows no redirects and keeps no cookies. Its time-outs bound only the silence on a socket. The caller
    bounds the whole request, because a body may trickle for ever.
    """
    return httpx.AsyncClient(
        transport=transport,
        headers={"user-agent": USER_AGENT},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        timeout=httpx.Timeout(connect=5, write=10, read=60, pool=None),
        limits=httpx.Limits(max_connections=concurrency + 4, max_keepalive_connections=concurrency + 4),
    )
