"""The adapter for Gemini understands the responses of the fake Gemini."""

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
from darkroom.domain.shot_errors import (
    BadImage,
    NoImage,
    Overloaded,
    Refused,
    ShotError,
    Throttled,
    Unauthorized,
)
from darkroom.ports import RawImage
from PIL import Image

from local import fake_gemini

LETTER = Shot(id="e", kind=ShotKind.EVIDENCE, name="Torn letter", description="half a page")
LIBRARY = Shot(id="l", kind=ShotKind.LOCATION, name="Library", description="dark")


@contextmanager
def open_provider(**config: Any) -> Iterator[fake_gemini.Server]:
    server = fake_gemini.Server(fake_gemini.Config(latency_median=0, **config))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def generate_picture(url: str, shot: Shot = LETTER, *, timeout_s: float = 30, key: str = "any") -> RawImage:
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
    with open_provider() as server:
        raw = generate_picture(server.url, shot)
    image = Image.open(io.BytesIO(raw.data))
    assert (image.size, image.format, raw.model) == (
        (1024, 1024),
        "JPEG",
        "some-model",
    )


def test_the_same_shot_gets_the_same_picture_and_another_shot_a_different_one() -> None:
    with open_provider() as server:
        letter, again, library = (generate_picture(server.url, s).data for s in (LETTER, LETTER, LIBRARY))
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
def test_the_adapter_recognizes_each_fault(fault: str, error: type[ShotError]) -> None:
    with open_provider(faults={fault: 1.0}) as server:
        with pytest.raises(error):
            generate_picture(server.url)
        assert stats(server)["outcomes"] == {fault: 1}


def test_an_undecodable_picture_is_received_as_it_was_sent() -> None:
    with open_provider(faults={"bad-image": 1.0}) as server:
        assert generate_picture(server.url).data == b"not a picture"


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_a_response_that_never_ends_stops_when_the_client_hangs_up(fault: str) -> None:
    with open_provider(faults={fault: 1.0}) as server:
        with pytest.raises(TimeoutError):
            generate_picture(server.url, timeout_s=0.3)
        for _ in range(2000):
            if stats(server)["inFlight"] == 0:
                break
        assert stats(server)["outcomes"] == {"gone": 1}


def test_a_script_determines_the_response_to_each_request() -> None:
    with open_provider(script={"Torn letter": ["503", "ok"]}) as server:
        with pytest.raises(Overloaded):
            generate_picture(server.url)
        assert generate_picture(server.url).data
        assert generate_picture(server.url, LIBRARY).data
        assert stats(server)["byName"] == {"Torn letter": 2, "Library": 1}


def test_a_request_above_the_quota_is_refused_with_the_time_to_wait() -> None:
    with open_provider(quota_per_minute=2) as server:
        generate_picture(server.url)
        generate_picture(server.url)
        with pytest.raises(Throttled) as raised:
            generate_picture(server.url)
    assert raised.value.retry_after is not None
    assert 50 < raised.value.retry_after <= 60


def test_only_the_configured_key_is_accepted() -> None:
    with open_provider(key="right") as server:
        assert generate_picture(server.url, key="right").data
        with pytest.raises(Unauthorized):
            generate_picture(server.url, key="wrong")


def test_the_configuration_can_be_replaced_while_it_runs() -> None:
    with open_provider() as server:
        config = {"latency_median": 0, "faults": {"503": 1.0}}
        assert httpx.put(f"{server.url}/_config", json=config, trust_env=False).status_code == 200
        with pytest.raises(Overloaded):
            generate_picture(server.url)
        refused = httpx.put(f"{server.url}/_config", json={"faults": {"flood": 1}}, trust_env=False)
        assert refused.status_code == 400
        assert "flood" in refused.text


def test_the_same_seed_gives_the_same_latencies_and_faults() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        config = fake_gemini.Config(seed=seed, faults={"hang": 0.2, "503": 0.3})
        fake = fake_gemini.FakeGemini(config)
        return [fake.begin(f"prompt {i}", f"name {i}") for i in range(40)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {fault for fault, _ in drawn(1)} == {"ok", "hang", "503"}


def test_latencies_have_the_configured_median_and_p95() -> None:
    fake = fake_gemini.FakeGemini(fake_gemini.Config(latency_median=8, latency_p95=20))
    seconds = sorted(fake.begin(f"prompt {i}", "name")[1] for i in range(4000))
    assert seconds[2000] == pytest.approx(8, rel=0.05)
    assert seconds[3800] == pytest.approx(20, rel=0.1)
