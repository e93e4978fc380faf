"""Send a delivery to a caller's receiver, which may be hostile.

The host is resolved here, and the connection is made to the address that was checked. So a name that gets
another address a moment later changes nothing. The certificate must still be that of the name. No redirect is
followed, no cookie kept, no body read, no connection used twice. An attempt takes `TIMEOUT_S` at most.
"""

import asyncio
import ipaddress
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import override

import httpx

from darkroom.adapters.http_client import USER_AGENT
from darkroom.adapters.signing import standard_webhooks
from darkroom.domain.callbacks import Delivery, ReceiverResponse
from darkroom.domain.receivers import canonical_host, is_host_name
from darkroom.ports import CallbackSender, Clock

TIMEOUT_S = 15.0
"""Seconds that one attempt may take."""

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Return every address of a host and port; raises OSError."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All public IPv6 addresses. Site-local, IPv4-compatible, IPv4-mapped and NAT64 addresses are outside it."""

_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
)
"""Networks that `is_global` accepts and we refuse: protocol assignments, 6to4, documentation."""


def is_public(address: str) -> bool:
    """Return True if `address` is on the internet: not loopback, private, link-local or reserved."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if found.version == 6 and found not in _GLOBAL_UNICAST:
        return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _SPECIAL)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address of `host` by the system's resolver; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def connections(verify: ssl.SSLContext | bool = True) -> httpx.AsyncHTTPTransport:
    """Return a transport that uses each connection once, because each name has its own certificate."""
    return httpx.AsyncHTTPTransport(
        verify=verify, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


class HttpCallbacks(CallbackSender):
    """Send deliveries. `private` allows private addresses and plain HTTP: for a laptop only."""

    def __init__(
        self,
        secret: Callable[[str], str],
        clock: Clock,
        *,
        private: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._private = private
        self._resolve = resolve
        # Not an httpx client: that would keep cookies by address, which receivers share, and read redirects.
        self._transport = transport or connections()
        self._runner = asyncio.Runner()

    @override
    def send(self, delivery: Delivery) -> ReceiverResponse:
        return self._runner.run(self._send(delivery))

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._transport.aclose())
        self._runner.close()

    async def _send(self, delivery: Delivery) -> ReceiverResponse:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._deliver(delivery)
        except TimeoutError:
            return ReceiverResponse(error=f"no answer within {TIMEOUT_S:.0f} s")
        except Exception as error:  # noqa: BLE001 - a receiver may cause any error
            return ReceiverResponse(error=type(error).__name__)

    async def _deliver(self, delivery: Delivery) -> ReceiverResponse:
        url = httpx.URL(delivery.url)
        if url.scheme != "https" and not self._private:
            return ReceiverResponse(error="only https is allowed")
        # Not `url.host`: that decodes an international name, which could then be resolved as another one.
        host = canonical_host(url.raw_host.decode("ascii"))
        addresses = await self._addresses(host, url.port or (443 if url.scheme == "https" else 80))
        if not addresses:
            return ReceiverResponse(error="the host has no address")
        if not self._private and not all(map(is_public, addresses)):
            return ReceiverResponse(error="the host has an address that is not public")
        body = delivery.body.encode()
        headers = {
            "host": host if url.port is None else f"{host}:{url.port}",
            "user-agent": USER_AGENT,
            "content-type": "application/json",
            **standard_webhooks.sign(
                self._secret(delivery.caller),
                message_id=delivery.message_id,
                timestamp_s=self._clock() // 1000,
                body=body,
            ),
        }
        # Each address gets an equal part of the time to connect. The last part is for the response.
        timeout = httpx.Timeout(TIMEOUT_S, connect=TIMEOUT_S / (len(addresses) + 1)).as_dict()
        unreached: Exception | None = None
        for address in addresses:
            request = httpx.Request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=headers,
                extensions={"sni_hostname": host, "timeout": timeout},
            )
            try:
                return await self._request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                unreached = error
        return ReceiverResponse(error=type(unreached).__name__)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`. IPv4 comes first: Lambda outside a VPC reaches nothing else."""
        if not is_host_name(host):
            return []
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            return []
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)

    async def _request(self, request: httpx.Request) -> ReceiverResponse:
        response = await self._transport.handle_async_request(request)
        await response.aclose()
        return ReceiverResponse(
            status=response.status_code,
            error="redirects are not followed" if response.is_redirect else None,
            retry_after_s=_retry_after_s(response.headers, self._clock()),
        )


def _retry_after_s(headers: Mapping[str, str], now: int) -> int | None:
    """Return the seconds to wait that `retry-after` gives, as a number or a date; None without one."""
    given = headers.get("retry-after", "").strip()
    try:
        if given.isascii() and given.isdigit():
            return int(given)
        date = parsedate_to_datetime(given)
        until = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0, math.ceil(until.timestamp() - now / 1000))
    except (ValueError, OverflowError):
        return None
