"""Call both clients the same way, against a scripted server, with a clock that only pauses advance."""

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import Any

import httpx
from darkroom_client import AsyncClient, Client, Policy

from tests.client.server import Reply, Server

URL = "https://api.example"


@dataclass
class Caller:
    """One of the two clients; `slept` holds its pauses in seconds."""

    kind: str
    server: Server = field(default_factory=lambda: Server([]))
    slept: list[float] = field(default_factory=list)

    def script(self, *replies: Reply) -> None:
        self.server.replies = replies

    @property
    def requests(self) -> list[httpx.Request]:
        return self.server.requests

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        policy = Policy(jitter=lambda: 1.0)
        transport = httpx.MockTransport(self.server)
        if self.kind == "sync":
            with httpx.Client(transport=transport) as http:
                client = Client(
                    URL, "secret", policy=policy, http=http, sleep=self.slept.append, clock=self.clock
                )
                found = getattr(client, name)(*arguments, **named)
                return list(found) if inspect.isgenerator(found) else found

        async def call() -> Any:
            async def sleep(seconds: float) -> None:
                self.slept.append(seconds)

            async with httpx.AsyncClient(transport=transport) as http:
                client = AsyncClient(URL, "secret", policy=policy, http=http, sleep=sleep, clock=self.clock)
                found = getattr(client, name)(*arguments, **named)
                return [each async for each in found] if inspect.isasyncgen(found) else await found

        return asyncio.run(call())

    def clock(self) -> float:
        return sum(self.slept)
