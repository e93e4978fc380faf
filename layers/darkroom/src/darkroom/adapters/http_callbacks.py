"""Sends a delivery to a caller's receiver, whoever that may be.

The address is resolved here and the connection made to what was checked: a name that means another
address a moment later changes nothing. The certificate is still that of the name. No redirect is
followed, no cookie kept, no body read, no connection used twice, and all of it together ends after
`TIMEOUT_S`.
"""

import asyncio
import ipaddress
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from darkroom.adapters.http_client import USER_AGENT
from darkroom.adapters.signing import standard_webhooks
from darkroom.domain.callbacks import Delivery, ReceiverResponse
from darkroom.domain.receivers import canonical_host, is_host_name
from darkroom.ports import Clock

TIMEOUT_S = 15.0

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → every address of it; raises OSError."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IPv6 has given out; outside lie site-local, IPv4-compatible, IPv4-mapped and NAT64 addresses."""

_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20"),
    )
)
"""What `is_global` lets through: protocol assignments (Teredo is one), 6to4 and its relays, documentation."""


def is_public(address: str) -> bool:
    """Return whether it is an address of the internet: not of this machine, its network, or its cloud."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if found.version == 6 and found not in _GLOBAL_UNICAST:
        return False
    return found.is_global and not found.is_multicast and not any(found in network for network in _SPECIAL)


async def resolve(host: str, port: int) -> Sequence[str]:
    """See Resolve: by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def connections(verify: ssl.SSLContext | bool = True) -> httpx.AsyncHTTPTransport:
    """Return a transport that never uses a connection twice: each name has its own certificate."""
    return httpx.AsyncHTTPTransport(
        verify=verify, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


class HttpCallbacks:
    """See CallbackSender. `private` lets it reach private addresses and speak plain HTTP: on a laptop."""

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
        # No httpx client: it would keep cookies by address, which receivers share, and interpret redirects.
        self._transport = transport or connections()
        self._runner = asyncio.Runner()

    def send(self, delivery: Delivery) -> ReceiverResponse:
        """See CallbackSender."""
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
        except Exception as error:  # noqa: BLE001 - whatever a receiver comes up with
            return ReceiverResponse(error=type(error).__name__)

    async def _deliver(self, delivery: Delivery) -> ReceiverResponse:
        url = httpx.URL(delivery.url)
        if url.scheme != "https" and not self._private:
            return ReceiverResponse(error="only https is allowed")
        # Not `url.host`, which turns an international name into letters: it might be reached as another.
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
        # Each address gets its part of the time to be reached, and the last part is for the answer.
        patience = httpx.Timeout(TIMEOUT_S, connect=TIMEOUT_S / (len(addresses) + 1)).as_dict()
        unreached: Exception | None = None
        for address in addresses:
            request = httpx.Request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=headers,
                extensions={"sni_hostname": host, "timeout": patience},
            )
            try:
                return await self._ask(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                unreached = error
        return ReceiverResponse(error=type(unreached).__name__)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`, those of IPv4 first: Lambda outside a VPC reaches no other."""
        if not is_host_name(host):
            return []
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            return []
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)

    async def _ask(self, request: httpx.Request) -> ReceiverResponse:
        response = await self._transport.handle_async_request(request)
        await response.aclose()
        return ReceiverResponse(
            status=response.status_code,
            error="redirects are not followed" if response.is_redirect else None,
            retry_after_s=_retry_after_s(response.headers, self._clock()),
        )


def _retry_after_s(headers: Mapping[str, str], now: int) -> int | None:
    """Return the seconds that a receiver asks to wait, as a number or a date; None when it does not."""
    given = headers.get("retry-after", "").strip()
    try:
        if given.isascii() and given.isdigit():
            return int(given)
        date = parsedate_to_datetime(given)
        until = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0, math.ceil(until.timestamp() - now / 1000))
    except (ValueError, OverflowError):
        return None
