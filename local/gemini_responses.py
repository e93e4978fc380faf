"""The responses of Gemini's `generateContent`, as the fake sends them."""

import base64
import functools
import hashlib
import json
import random
from typing import Any

from local import drawing

SIGNATURE = base64.b64encode(random.Random(0).randbytes(1_048_576)).decode()
"""A `thoughtSignature` as large as in recorded responses, in which it is larger than the picture."""


@functools.lru_cache(maxsize=32)
def picture(kind: str, name: str, model: str) -> bytes:
    """Return the response with a picture of the shot."""
    return encoded(finished("STOP", model, [image_part(drawing.draw(kind, name))]))


def encoded(response: dict[str, Any]) -> bytes:
    """Return the body of a response."""
    return json.dumps(response).encode()


def image_part(picture: bytes) -> dict[str, Any]:
    """Return the part of a response that holds a picture."""
    data = base64.b64encode(picture).decode()
    return {
        "inlineData": {"mimeType": "image/jpeg", "data": data},
        "thoughtSignature": SIGNATURE if picture[:2] == b"\xff\xd8" else "",
    }


def finished(reason: str, model: str, parts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return a response that ends for this reason, with or without parts."""
    content = {"parts": parts, "role": "model"} if parts else {}
    return {
        "candidates": [{"content": content, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 40, "totalTokenCount": 1160},
        "modelVersion": model,
        "responseId": hashlib.sha256(reason.encode()).hexdigest()[:22],
    }


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Return an error in the form of Google's APIs."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": list(details)} if details else error}


def bad_key() -> dict[str, Any]:
    """Return the error for an invalid API key."""
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    return error(400, "INVALID_ARGUMENT", "API key not valid.", detail)


def throttled(seconds: float) -> dict[str, Any]:
    """Return the error for a request above the quota, with the delay in seconds to wait."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_image_requests",
        "quotaId": "GenerateContentImagesPerMinutePerProjectPerModel",
    }
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota.",
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds:.3f}s"},
    )
