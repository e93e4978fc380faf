"""Request pictures from Stability's image models on Amazon Bedrock.

Shapes: docs.aws.amazon.com/bedrock, "Stable Image Core request and response"; errors: the model of
bedrock-runtime in botocore.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, override

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from darkroom.adapters.providers import http, meanings
from darkroom.adapters.providers.delays import retry_after
from darkroom.adapters.providers.json_body import as_dict, as_list, as_object, decoded, word
from darkroom.adapters.providers.meanings import BUSY, RATE, Meaning
from darkroom.domain.shot_errors import (
    AccountUnusable,
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
from darkroom.ports import ImageProvider, RawImage

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

_THREADS_PER_REQUEST = 2
"""Twice as many threads as requests, because those of cancelled requests are busy for a while."""

_NEAREST = {"4:3": "5:4", "3:4": "4:5"}
"""Aspect ratio that Stability does not have → the nearest one that it has."""

_CHUNK_BYTES = 256 * 1024
_RETIRED = re.compile(r"reached (the )?end of (its )?life|model identifier is invalid", re.IGNORECASE)
_PER_DAY = re.compile(r"\bper day\b|\bdaily\b", re.IGNORECASE)
_FILTERED = "Filter reason:"
"""Beginning of the reason for which a picture was withheld."""

_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
"""Errors after which AWS cannot have seen the request."""

_NOT_SIGNED_UP: Meaning = (AccountUnusable, "the AWS account is not signed up for the service")

_BY_NAME: Mapping[str, Meaning] = {
    "ThrottlingException": RATE,
    "Throttling": RATE,
    "ThrottledException": RATE,
    "TooManyRequestsException": RATE,
    "RequestLimitExceeded": RATE,
    "RequestTimeoutException": BUSY,
    "ModelNotReadyException": (Throttled, "the provider's model is not ready"),
    "ModelTimeoutException": BUSY,
    "ModelErrorException": BUSY,
    "InternalServerException": BUSY,
    "ServiceUnavailableException": BUSY,
    "ServiceQuotaExceededException": (QuotaExhausted, "the provider's quota is used up"),
    "AccessDeniedException": (Unauthorized, "the worker's role may not use the model"),
    "SubscriptionRequiredException": _NOT_SIGNED_UP,
    "OptInRequired": _NOT_SIGNED_UP,
    "ResourceNotFoundException": (ModelRetired, "the provider no longer has the model"),
    "ValidationException": (InvalidPrompt, "the provider does not accept the request"),
}


class Bedrock(ImageProvider):
    """Request pictures from one of Stability's models. Cancelling `generate` ends the waiting only.

    boto3 blocks and cannot be interrupted. A cancelled `generate` returns at once. Its request is withdrawn
    when no thread has begun it. Otherwise the request runs on, and may be billed, until the response is
    complete or a time-out of the client ends it. Time-outs bound silence, so a response that trickles takes
    longer (see aws.bedrock). Until then its thread is busy, and spare threads begin new requests. When those
    hang too, new requests wait until their deadline.
    """

    def __init__(self, client: "BedrockRuntimeClient", *, model: str, concurrency: int) -> None:
        self._client = client
        self._model = model
        self._pool = ThreadPoolExecutor(_THREADS_PER_REQUEST * concurrency, thread_name_prefix="bedrock")

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        body = await asyncio.get_running_loop().run_in_executor(self._pool, self._invoke, prompt)
        return to_image(body, self._model)

    def _invoke(self, prompt: str) -> bytes:
        try:
            response = self._client.invoke_model(
                modelId=self._model,
                contentType="application/json",
                accept="application/json",
                body=json.dumps(_request(prompt)),
            )
        except ClientError as error:
            # Not chained: its text may quote the prompt, and a traceback would show it.
            raise to_error(error.response) from None
        except ParamValidationError:
            raise InvalidPrompt("the request is not one that boto3 would send") from None
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise Unauthorized("no AWS credentials for the image provider") from error
        except BotoCoreError as error:
            sent = not isinstance(error, _NOT_SENT)
            raise Overloaded(f"the provider broke off: {type(error).__name__}", billed=sent) from error
        return _read(response["body"])


def _read(stream: "StreamingBody") -> bytes:
    """Return the body of a success; raise ShotError, always billed, when it cannot be read."""
    received = bytearray()
    try:
        with closing(stream) as body:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                http.append(received, chunk)
    except Exception as error:  # a body may break off with any error
        raise http.unreadable(error) from error
    return bytes(received)


def _request(prompt: str) -> dict[str, Any]:
    # Without a seed, so that an attempt after a filtered picture makes another picture.
    return {
        "prompt": prompt,
        "mode": "text-to-image",
        "aspect_ratio": aspect_ratio("1:1"),
        "output_format": "jpeg",
    }


def aspect_ratio(wanted: str) -> str:
    """Return the aspect ratio of Stability's that is nearest to `wanted`."""
    return _NEAREST.get(wanted, wanted)


def to_image(body: bytes, model: str) -> RawImage:
    """Return the picture in the body of a success; raise the ShotError that its absence means, always billed.

    A response with a filtered picture is a success of HTTP that has a reason and no picture.
    """
    found = as_object(body)
    if found is None:
        raise BadImage("the provider's answer is not JSON")
    reasons = [reason for reason in as_list(found.get("finish_reasons")) if isinstance(reason, str)]
    for reason in reasons:
        if reason.startswith(_FILTERED):
            raise Refused(f"the provider refused: {_word(reason.removeprefix(_FILTERED))}", billed=True)
    pictures = [picture for picture in as_list(found.get("images")) if picture]
    if not pictures:
        raise NoImage(f"the provider sent no picture: {_word(reasons[0]) if reasons else 'none'}")
    return RawImage(data=decoded(pictures[-1]), model=model)


def _word(reason: str) -> str:
    """Return a reason of Stability's, which has two words at most, as one; `?` for a longer one."""
    return word(reason.strip().replace(" ", "-")) if reason.count(" ") <= 2 else "?"


def to_error(response: Mapping[str, Any]) -> ShotError:
    """Return what an error of AWS means. Its message may quote the prompt, so it is not kept."""
    problem = as_dict(response.get("Error"))
    name = word(problem.get("Code"))
    message = str(problem.get("Message"))
    facts = as_dict(response.get("ResponseMetadata"))
    status = facts.get("HTTPStatusCode", 500)
    wait_s = retry_after(as_dict(facts.get("HTTPHeaders")))
    if status < 500 and _RETIRED.search(message):
        return ModelRetired(f"the provider no longer has the model: {name}")
    if name == "ThrottlingException" and _PER_DAY.search(message):
        return QuotaExhausted(f"the provider's quota for the day is used up: {name}")
    if found := meanings.by_sentence(status, message, (name,)) or _BY_NAME.get(name):
        return meanings.as_error(found, name, retry_after=wait_s)
    return meanings.as_error(meanings.by_status(status), f"{status} {name}", retry_after=wait_s)
