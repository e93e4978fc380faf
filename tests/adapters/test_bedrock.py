"""The Bedrock adapter with a real client and no network: the client is stubbed, or never sends."""

import asyncio
import base64
import io
import json
from http.client import IncompleteRead
from typing import Any

import pytest
from botocore import exceptions as botocore_errors
from botocore.response import StreamingBody
from botocore.stub import Stubber
from darkroom.adapters import aws
from darkroom.adapters.providers import http
from darkroom.adapters.providers.bedrock import Bedrock, aspect_ratio
from darkroom.domain.shot_errors import (
    BadImage,
    InvalidPrompt,
    ModelRetired,
    NoImage,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    Throttled,
    Unauthorized,
)
from darkroom.ports import RawImage
from urllib3 import exceptions as urllib3_errors

from testing.recorded import PROMPT, body_of

MODEL = "stability.stable-image-core-v1:1"
EVENT = "before-call.bedrock-runtime.InvokeModel"


def generate(client: Any) -> RawImage:
    return asyncio.run(Bedrock(client, model=MODEL, concurrency=2).generate(PROMPT, timeout_s=60))


def generated(stub: Stubber, body: bytes, length: int | None = None) -> RawImage:
    stream = StreamingBody(io.BytesIO(body), len(body) if length is None else length)
    response = {"body": stream, "contentType": "application/json"}
    request = {
        "prompt": PROMPT,
        "mode": "text-to-image",
        "aspect_ratio": "1:1",
        "output_format": "jpeg",
    }
    expected = {
        "modelId": MODEL,
        "contentType": "application/json",
        "accept": "application/json",
        "body": json.dumps(request),
    }
    stub.add_response("invoke_model", response, expected)
    return generate(stub.client)


def failing(stub: Stubber, body: bytes, length: int | None = None) -> ShotError:
    with pytest.raises(ShotError) as raised:
        generated(stub, body, length)
    return raised.value


def test_a_response_gives_its_picture(stub: Stubber) -> None:
    image = generated(stub, body_of("bedrock_200_stable_image_core.json"))
    assert len(image.data) == 4096 // 4 * 3
    assert image.model == MODEL


@pytest.mark.parametrize("reasons", [[None], [], None, "", [7]])
def test_a_picture_without_a_filter_reason_is_accepted(stub: Stubber, reasons: Any) -> None:
    picture = base64.b64encode(b"picture").decode()
    body = json.dumps({"seeds": [1], "finish_reasons": reasons, "images": [None, picture]}).encode()
    assert generated(stub, body).data == b"picture"


def finished(reason: Any, **more: Any) -> bytes:
    return json.dumps({"finish_reasons": [reason], **more}).encode()


@pytest.mark.parametrize("what", ["prompt", "output image", "input image"])
def test_a_filtered_prompt_or_picture_is_refused(stub: Stubber, what: str) -> None:
    failure = failing(stub, finished(f"Filter reason: {what}"))
    assert (type(failure), failure.billed) == (Refused, True)
    assert str(failure).endswith(what.replace(" ", "-"))


def test_the_documented_response_to_a_filtered_prompt_is_a_refusal(stub: Stubber) -> None:
    assert isinstance(failing(stub, body_of("bedrock_200_filtered_prompt.json")), Refused)


def test_a_filtered_picture_is_refused_even_when_it_is_sent(stub: Stubber) -> None:
    body = finished("Filter reason: output image", images=["QUJD"])
    assert isinstance(failing(stub, body), Refused)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        finished("Inference error"),
        finished(None),
        finished(None, images=None),
        finished(None, images=[]),
        finished(None, images=[None]),
        finished("An unknown reason, " + PROMPT),
        b'{"finish_reasons": {}}',
    ],
)
def test_a_response_without_a_picture_may_be_retried(stub: Stubber, body: bytes) -> None:
    failure = failing(stub, body)
    assert isinstance(failure, NoImage)
    assert PROMPT not in str(failure)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"[]",
        body_of("bedrock_200_stable_image_core.json")[:-20],
        finished(None, images=["not base64!"]),
        finished(None, images=[7]),
    ],
)
def test_a_response_that_cannot_be_decoded_is_a_bad_image(stub: Stubber, body: bytes) -> None:
    assert isinstance(failing(stub, body), BadImage)


def test_a_response_that_breaks_off_may_be_retried_and_is_billed(stub: Stubber) -> None:
    failure = failing(stub, b'{"seeds"', length=1000)
    assert (type(failure), failure.billed) == (Overloaded, True)


@pytest.mark.parametrize(
    "error",
    [
        urllib3_errors.ReadTimeoutError(None, "", "silent"),  # type: ignore[arg-type]
        urllib3_errors.ProtocolError("reset"),
        urllib3_errors.DecodeError("gzip"),
        urllib3_errors.SSLError("bad record"),
        ConnectionResetError("reset"),
        IncompleteRead(b"half"),
        ValueError("I/O operation on closed file"),
    ],
)
def test_a_body_that_breaks_off_in_any_way_is_billed(stub: Stubber, error: Exception) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    stub.add_response(
        "invoke_model",
        {"body": StreamingBody(Breaking(), 1000), "contentType": "application/json"},
    )
    with pytest.raises(Overloaded) as raised:
        generate(stub.client)
    assert raised.value.billed


def test_a_body_over_the_limit_is_cut_off(stub: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 10_000)
    assert isinstance(failing(stub, b" " * 10_001), BadImage)


END = "This model version has reached the end of its life. Use another one."


@pytest.mark.parametrize(
    ("name", "text", "status", "error"),
    [
        ("ThrottlingException", "Too many requests", 429, Throttled),
        ("ModelNotReadyException", "", 429, Throttled),
        ("ModelTimeoutException", "", 408, Overloaded),
        ("InternalServerException", "", 500, Overloaded),
        ("ServiceUnavailableException", "", 503, Overloaded),
        ("ModelErrorException", "", 424, Overloaded),
        ("ServiceQuotaExceededException", "", 400, QuotaExhausted),
        ("ValidationException", f"prompt: {PROMPT}", 400, InvalidPrompt),
        ("ValidationException", "the prompt is about the end of its life", 400, InvalidPrompt),
        ("ValidationException", END, 400, ModelRetired),
        ("ValidationException", "The provided model identifier is invalid.", 400, ModelRetired),
        ("AccessDeniedException", "", 403, Unauthorized),
        ("AccessDeniedException", END, 403, ModelRetired),
        ("ResourceNotFoundException", "", 404, ModelRetired),
        ("UnrecognizedClientException", "", 403, Unauthorized),
        ("ExpiredTokenException", "", 403, Unauthorized),
        ("TooManyRequestsException", "", 429, Throttled),
        ("ANewException", "", 418, InvalidPrompt),
        ("ANewException", END, 503, Overloaded),
        ("502", "Bad Gateway", 502, Overloaded),
    ],
)
def test_every_error_of_aws_becomes_its_shot_error(
    stub: Stubber, name: str, text: str, status: int, error: type[ShotError]
) -> None:
    stub.add_client_error("invoke_model", name, text, status)
    with pytest.raises(ShotError) as raised:
        generate(stub.client)
    assert type(raised.value) is error
    assert name in str(raised.value)
    assert not text or text not in str(raised.value)


def test_the_text_of_aws_is_in_no_traceback(stub: Stubber) -> None:
    stub.add_client_error("invoke_model", "ValidationException", PROMPT, 400)
    with pytest.raises(InvalidPrompt) as raised:
        generate(stub.client)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_the_delay_is_read_from_the_header(stub: Stubber) -> None:
    headers = {"HTTPHeaders": {"retry-after": "7"}}
    stub.add_client_error("invoke_model", "ThrottlingException", "", 429, response_meta=headers)
    with pytest.raises(Throttled) as raised:
        generate(stub.client)
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("cause", "error", "billed"),
    [
        (botocore_errors.ConnectTimeoutError(endpoint_url="x"), Overloaded, False),
        (botocore_errors.EndpointConnectionError(endpoint_url="x"), Overloaded, False),
        (botocore_errors.ReadTimeoutError(endpoint_url="x"), Overloaded, True),
        (botocore_errors.ConnectionClosedError(endpoint_url="x"), Overloaded, True),
        (botocore_errors.ResponseStreamingError(error="x"), Overloaded, True),
        (botocore_errors.ParamValidationError(report=PROMPT), InvalidPrompt, False),
        (botocore_errors.NoCredentialsError(), Unauthorized, False),
        (botocore_errors.PartialCredentialsError(provider="env", cred_var="x"), Unauthorized, False),
    ],
)
def test_a_request_that_aws_never_responded_to_has_its_error_and_is_billed_if_it_may_have_arrived(
    client: Any, cause: Exception, error: type[ShotError], billed: bool
) -> None:
    def broken(**_: Any) -> None:
        raise cause

    client.meta.events.register(EVENT, broken)
    with pytest.raises(error) as raised:
        generate(client)
    assert raised.value.billed is billed
    assert PROMPT not in str(raised.value)


def test_the_client_tries_once_and_has_a_connection_for_every_thread() -> None:
    config: Any = aws.bedrock("eu-west-1", 7).meta.config
    assert aws.bedrock("eu-west-1", 7).meta.region_name == "eu-west-1"
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (5, 60, 14)
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


@pytest.mark.parametrize(
    ("requested", "ratio"), [("4:3", "5:4"), ("3:4", "4:5"), ("1:1", "1:1"), ("16:9", "16:9")]
)
def test_a_ratio_that_stability_lacks_becomes_its_neighbour(requested: str, ratio: str) -> None:
    assert aspect_ratio(requested) == ratio
