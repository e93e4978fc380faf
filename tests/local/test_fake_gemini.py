"""The provider speaks the provider's dialect: what it says is what the adapter understands."""

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from darkroom.adapters import http_client
from darkroom.adapters.providers.gemini import Gemini
from darkroom.domain.case import Shot, ShotKind
from darkroom.domain.errors import BadImage, NoImage, Overloaded, Refused, ShotError, Throttled, Unauthorized
from darkroom.ports import RawImage
from PIL import Image

from local import fake_gemini

LETTER = Shot(id="e", kind=ShotKind.EVIDENCE, name="Torn letter", description="half a page")
LIBRARY = Shot(id="l", kind=ShotKind.LOCATION, name="Library", description="dark")


@contextmanager
def open_studio(**config: Any) -> Iterator[fake_gemini.Server]:
    server = fake_gemini.Server(fake_gemini.Config(latency_median=0, **config))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str, shot: Shot = LETTER, *, timeout_s: float = 30, key: str = "any") -> RawImage:
    async def generate() -> RawImage:
        async with http_client.client(1) as client, asyncio.timeout(timeout_s):
            provider = Gemini(client, base_url=url, model="some-model", thinking="", key=lambda: key)
            return await provider.generate(shot.prompt, timeout_s=timeout_s)

    return asyncio.run(generate())


def stats(server: fake_gemini.Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/_stats", trust_env=False).json()
    return found


@pytest.mark.parametrize("shot", [LETTER, LIBRARY])
def test_a_picture_is_as_large_as_the_real_ones(shot: Shot) -> None:
    with open_studio() as server:
        raw = ask(server.url, shot)
    image = Image.open(io.BytesIO(raw.data))
    assert (image.size, image.format, raw.mime, raw.model) == (
        (1024, 1024),
        "JPEG",
        "image/jpeg",
        "some-model",
    )


def test_the_same_shot_has_the_same_picture_and_another_another() -> None:
    with open_studio() as server:
        letter, again, library = (ask(server.url, s).data for s in (LETTER, LETTER, LIBRARY))
    assert letter == again != library


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("500", Overloaded),
        ("503", Overloaded),
        ("429", Throttled),
        ("safety", Refused),
        ("no-image", NoImage),
        ("truncated", BadImage),
    ],
)
def test_a_fault_is_what_the_adapter_takes_it_for(fault: str, error: type[ShotError]) -> None:
    with open_studio(faults={fault: 1.0}) as server:
        with pytest.raises(error):
            ask(server.url)
        assert stats(server)["outcomes"] == {fault: 1}


def test_an_undecodable_picture_arrives_as_one() -> None:
    with open_studio(faults={"bad-image": 1.0}) as server:
        assert ask(server.url).data == b"not a picture"


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_what_never_ends_ends_when_the_client_has_gone(fault: str) -> None:
    with open_studio(faults={fault: 1.0}) as server:
        with pytest.raises(TimeoutError):
            ask(server.url, timeout_s=0.3)
        for _ in range(2000):
            if stats(server)["inFlight"] == 0:
                break
        assert stats(server)["outcomes"] == {"gone": 1}


def test_a_script_decides_request_by_request() -> None:
    with open_studio(script={"Torn letter": ["503", "ok"]}) as server:
        with pytest.raises(Overloaded):
            ask(server.url)
        assert ask(server.url).data
        assert ask(server.url, LIBRARY).data
        assert stats(server)["byName"] == {"Torn letter": 2, "Library": 1}


def test_a_quota_refuses_what_is_over_it_and_says_how_long() -> None:
    with open_studio(quota_per_minute=2) as server:
        ask(server.url)
        ask(server.url)
        with pytest.raises(Throttled) as raised:
            ask(server.url)
    assert raised.value.retry_after is not None
    assert 50 < raised.value.retry_after <= 60


def test_only_the_configured_key_is_accepted() -> None:
    with open_studio(key="right") as server:
        assert ask(server.url, key="right").data
        with pytest.raises(Unauthorized):
            ask(server.url, key="wrong")


def test_the_configuration_can_be_replaced_while_it_runs() -> None:
    with open_studio() as server:
        config = {"latency_median": 0, "faults": {"503": 1.0}}
        assert httpx.put(f"{server.url}/_config", json=config, trust_env=False).status_code == 200
        with pytest.raises(Overloaded):
            ask(server.url)
        refused = httpx.put(f"{server.url}/_config", json={"faults": {"flood": 1}}, trust_env=False)
        assert refused.status_code == 400
        assert "flood" in refused.text


def test_the_same_seed_gives_the_same_latencies_and_faults() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        config = fake_gemini.Config(seed=seed, faults={"hang": 0.2, "503": 0.3})
        room = fake_gemini.FakeGemini(config)
        return [room.begin(f"prompt {i}", f"name {i}") for i in range(40)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {fault for fault, _ in drawn(1)} == {"ok", "hang", "503"}


def test_latencies_have_the_configured_median_and_p95() -> None:
    room = fake_gemini.FakeGemini(fake_gemini.Config(latency_median=8, latency_p95=20))
    seconds = sorted(room.begin(f"prompt {i}", "name")[1] for i in range(4000))
    assert seconds[2000] == pytest.approx(8, rel=0.05)
    assert seconds[3800] == pytest.approx(20, rel=0.1)
