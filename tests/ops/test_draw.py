"""`make doctor DRAW=1`: make a real picture with the deployment's settings when its price is confirmed."""

import base64
import io
import json
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from ops import draw
from ops.checks import Finding, Level
from ops.deployment import Deployment

WORKER = {
    "TABLE_NAME": "t",
    "BUCKET_NAME": "b",
    "WEBHOOK_SECRET": "w",
    "GEMINI_SECRET": "the-secret",
    "GEMINI_URL": "https://gemini.example",
    "GEMINI_MODEL": "a-model-that-takes-no-level",
    "IMAGE_PRICE_USD": "0.05",
    "AWS_LAMBDA_FUNCTION_NAME": "a variable of Lambda's own",
}


class FakeDeployment(Deployment):
    """A deployment that has only the worker's settings and one key."""

    def __init__(self, **changes: str) -> None:
        self.worker = WORKER | changes

    def secret_of(self, name: str) -> str:
        return {"the-secret": "the-key"}[name]


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(target, "PNG")
    return target.getvalue()


class Provider:
    """Gemini, which refuses every thinking level for this model."""

    def __init__(self, data: bytes | None = None) -> None:
        self.data = picture() if data is None else data
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if "thinkingConfig" in json.loads(request.content).get("generationConfig", {}):
            message = "Thinking level is not supported for this model."
            return httpx.Response(
                400, json={"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
            )
        part = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(self.data).decode()}}
        return httpx.Response(200, json={"candidates": [{"content": {"parts": [part]}}]})


def drawn(
    provider: Provider, confirm: Callable[[str], bool | None] = lambda question: True, **changes: str
) -> list[Finding]:
    return list(draw.draw(FakeDeployment(**changes), confirm, httpx.MockTransport(provider)))


def test_a_picture_is_made_with_the_key_and_the_model_of_the_deployment() -> None:
    provider = Provider()
    [finding] = drawn(provider)
    [request] = provider.requests
    assert request.headers["x-goog-api-key"] == "the-key"
    assert request.url.path == "/v1beta/models/a-model-that-takes-no-level:generateContent"
    assert (finding.level, "as a JPEG" in finding.found) == (Level.OK, True)


def test_a_setting_that_the_model_refuses_is_found() -> None:
    [finding] = drawn(Provider(), GEMINI_THINKING="minimal")
    assert finding.level is Level.FAIL
    assert "misconfigured" in finding.found
    assert "GeminiThinking" in finding.found
    assert "charge" not in finding.found


def test_data_that_is_not_a_picture_is_a_failure_that_may_be_charged() -> None:
    [finding] = drawn(Provider(b"not a picture"))
    assert finding.level is Level.FAIL
    assert "bad_image" in finding.found
    assert finding.found.endswith("may charge for it")


def test_nothing_is_sent_before_the_price_is_confirmed() -> None:
    questions: list[str] = []
    for reply, level in ((False, Level.WARN), (None, Level.FAIL)):
        provider = Provider()

        def confirm(question: str, reply: bool | None = reply) -> bool | None:
            questions.append(question)
            return reply

        [finding] = drawn(provider, confirm)
        assert (finding.level, provider.requests) == (level, [])
        assert "YES=1" in finding.fix
    assert all("gemini/a-model-that-takes-no-level" in q and "$0.0500" in q for q in questions)


def test_each_provider_of_the_deployment_makes_a_picture() -> None:
    findings = drawn(Provider(), FALLBACK_PROVIDER="openai", OPENAI_SECRET="the-secret")
    assert [finding.found.split("/")[0] for finding in findings] == ["gemini", "openai"]


@pytest.mark.parametrize(
    ("yes", "terminal", "typed", "expected"),
    [
        (True, False, "", True),
        (True, True, "n", True),
        (False, False, "y", None),
        (False, True, "y", True),
        (False, True, " YES ", True),
        (False, True, "", False),
        (False, True, "n", False),
    ],
)
def test_only_a_yes_confirms(
    monkeypatch: pytest.MonkeyPatch, yes: bool, terminal: bool, typed: str, expected: bool | None
) -> None:
    stdin = io.StringIO(f"{typed}\n")
    monkeypatch.setattr(stdin, "isatty", lambda: terminal)
    monkeypatch.setattr("sys.stdin", stdin)
    assert draw.confirm("Make one?", yes=yes) is expected
