"""Stability's image models on Amazon Bedrock.

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

from darkroom.adapters.providers import faults, http
from darkroom.adapters.providers.http import as_dict, as_list, as_object, word
from darkroom.domain.errors import (
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

_THREADS_PER_REQUEST = 2  # those of cancelled requests are busy for a while
_NEAREST = {"4:3": "5:4", "3:4": "4:5"}
_CHUNK_BYTES = 256 * 1024
_RETIRED = re.compile(r"reached (the )?end of (its )?life|model identifier is invalid", re.IGNORECASE)
_PER_DAY = re.compile(r"\bper day\b|\bdaily\b", re.IGNORECASE)
_FILTERED = "Filter reason:"
_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
"""Errors after which AWS cannot have seen the request."""

_BY_NAME: Mapping[str, tuple[type[ShotError], str]] = {
    "ThrottlingException": (Throttled, "the provider's rate limit"),
    "Throttling": (Throttled, "the provider's rate limit"),
    "ThrottledException": (Throttled, "the provider's rate limit"),
    "TooManyRequestsException": (Throttled, "the provider's rate limit"),
    "RequestLimitExceeded": (Throttled, "the provider's rate limit"),
    "RequestTimeoutException": (Overloaded, "the provider failed"),
    "ModelNotReadyException": (Throttled, "the provider's model is not ready"),
    "ModelTimeoutException": (Overloaded, "the provider failed"),
    "ModelErrorException": (Overloaded, "the provider failed"),
    "InternalServerException": (Overloaded, "the provider failed"),
    "ServiceUnavailableException": (Overloaded, "the provider failed"),
    "ServiceQuotaExceededException": (QuotaExhausted, "the provider's quota is used up"),
    "AccessDeniedException": (Unauthorized, "the worker's role may not use the model"),
    "SubscriptionRequiredException": (AccountUnusable, "the AWS account is not signed up for the service"),
    "OptInRequired": (AccountUnusable, "the AWS account is not signed up for the service"),
    "ResourceNotFoundException": (ModelRetired, "the provider no longer has the model"),
    "ValidationException": (InvalidPrompt, "the provider does not accept the request"),
}


class Bedrock(ImageProvider):
    """See ImageProvider; but what being cancelled ends is only the waiting.

    boto3 blocks and cannot be interrupted. A cancelled `generate` returns at once, and a request
    that no thread has begun is withdrawn. One that has begun runs on, and may be billed, until it
    is answered or the client's own time-outs end it; those bound silence, so an answer that trickles
    takes longer (see aws.bedrock). Its thread keeps its place in the pool for so long; spare threads
    let new requests begin meanwhile, and when those hang too, new ones wait for their deadline.
    """

    def __init__(self, client: "BedrockRuntimeClient", *, model: str, concurrency: int) -> None:
        self._client = client
        self._model = model
        self._pool = ThreadPoolExecutor(_THREADS_PER_REQUEST * concurrency, thread_name_prefix="bedrock")

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        body = await asyncio.get_running_loop().run_in_executor(self._pool, self._ask, prompt)
        return to_image(body, self._model)

    def _ask(self, prompt: str) -> bytes:
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
    """Return the body of a success; whatever hinders that is billed."""
    received = bytearray()
    try:
        with closing(stream) as body:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                http.extend(received, chunk)
    except Exception as error:  # a body may break off with anything
        raise http.hindrance(error) from error
    return bytes(received)


def _request(prompt: str) -> dict[str, Any]:
    # Without a seed, so that another try after a filtered picture makes another picture.
    return {
        "prompt": prompt,
        "mode": "text-to-image",
        "aspect_ratio": aspect_ratio("1:1"),
        "output_format": "jpeg",
    }


def aspect_ratio(asked: str) -> str:
    """The ratio of Stability's that is nearest to the one asked for."""
    return _NEAREST.get(asked, asked)


def to_image(body: bytes, model: str) -> RawImage:
    """Return the picture in an answer; raises the ShotError that its absence means, always billed.

    A filtered one is a success for HTTP, with a reason for each picture and no pictures.
    """
    answer = as_object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    reasons = [reason for reason in as_list(answer.get("finish_reasons")) if isinstance(reason, str)]
    for reason in reasons:
        if reason.startswith(_FILTERED):
            raise Refused(f"the provider refused: {_word(reason.removeprefix(_FILTERED))}", billed=True)
    pictures = [picture for picture in as_list(answer.get("images")) if picture]
    if not pictures:
        raise NoImage(f"the provider sent no picture: {_word(reasons[0]) if reasons else 'none'}")
    return RawImage(data=http.decoded(pictures[-1]), mime="image/jpeg", model=model)


def _word(reason: str) -> str:
    """Stability's reasons are two words at most: `output image`, `Inference error`."""
    return word(reason.strip().replace(" ", "-")) if reason.count(" ") <= 2 else "?"


def to_error(response: Mapping[str, Any]) -> ShotError:
    """Return what an error of AWS means. Its message may quote the prompt, so it is not kept."""
    problem, facts = as_dict(response.get("Error")), as_dict(response.get("ResponseMetadata"))
    name, message = word(problem.get("Code")), str(problem.get("Message"))
    delay = http.retry_after(as_dict(facts.get("HTTPHeaders")))
    status = facts.get("HTTPStatusCode", 500)
    if status < 500 and _RETIRED.search(message):
        return ModelRetired(f"the provider no longer has the model: {name}")
    if name == "ThrottlingException" and _PER_DAY.search(message):
        return QuotaExhausted(f"the provider's quota for the day is used up: {name}")
    if found := faults.by_sentence(status, message, (name,)) or _BY_NAME.get(name):
        error, meaning = found
        return error(f"{meaning}: {name}", retry_after=delay)
    return http.by_status(status, f"{status} {name}", delay)
