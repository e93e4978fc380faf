"""Sends a delivery to a caller's receiver, whoever that may be.

The address is resolved here and the connection made to what was checked: a name that means another
address a moment later changes nothing. The certificate is still that of the name. No redirect is
followed, no body read, and all of it together ends after `TIMEOUT_S`.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpx

from darkroom.adapters import standard_webhooks
from darkroom.domain.callbacks import Answer, Delivery
from darkroom.ports import Clock

TIMEOUT_S = 15.0

type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → every address of it; raises OSError."""

# Addresses that carry another one inside, behind which a private one could hide (RFC 6052, RFC 3056).
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")))


def is_public(address: str) -> bool:
    """Whether anybody in the internet may be behind it: not this machine, its network, or its cloud."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast


async def resolve(host: str, port: int) -> Sequence[str]:
    """See Resolve: by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


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
        self._client = httpx.AsyncClient(
            transport=transport, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )
        self._runner = asyncio.Runner()

    def send(self, delivery: Delivery) -> Answer:
        """See CallbackSender."""
        return self._runner.run(self._send(delivery))

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()

    async def _send(self, delivery: Delivery) -> Answer:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._deliver(delivery)
        except TimeoutError:
            return Answer(error=f"no answer within {TIMEOUT_S:.0f} s")
        except OSError:
            return Answer(error="the host has no address")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            return Answer(error=type(error).__name__)

    async def _deliver(self, delivery: Delivery) -> Answer:
        url = httpx.URL(delivery.url)
        if url.scheme != "https" and not self._private:
            return Answer(error="only https is allowed")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(url.host, port)
        if not self._private and not all(is_public(address) for address in addresses):
            return Answer(error="the host has an address that is not public")
        body = delivery.body.encode()
        headers = standard_webhooks.sign(
            self._secret(delivery.caller),
            message_id=delivery.message_id,
            timestamp_s=self._clock() // 1000,
            body=body,
        )
        request = self._client.build_request(
            "POST",
            url.copy_with(host=addresses[0]),
            content=body,
            headers={"host": url.netloc.decode(), "content-type": "application/json", **headers},
            extensions={"sni_hostname": url.host},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()
        wait = response.headers.get("retry-after", "")
        redirected = "redirects are not followed" if response.is_redirect else None
        return Answer(
            status=response.status_code,
            error=redirected,
            retry_after_s=int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 9 else None,
        )
