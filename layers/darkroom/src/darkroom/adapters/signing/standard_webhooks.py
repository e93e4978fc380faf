"""Signatures of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`.

A secret is one or more keys separated by spaces. All sign and all verify, so a key can be rotated without a
gap. A key is base64 of 24 to 64 bytes, with or without the prefix `whsec_`.
Source: the specification at github.com/standard-webhooks, `spec/standard-webhooks.md`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from darkroom.domain.errors import BadSignature

TOLERANCE_S = 300
"""Seconds by which a timestamp may differ from now."""


def sign(secret: str, *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers by which a holder of one of the keys can verify sender and age of `body`."""
    signatures = [_signature(key, message_id, str(timestamp_s), body) for key in _keys(secret)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def verify(secret: str, *, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
    """Raise BadSignature unless a key of `secret` signed `body` within the tolerance.

    Names of `headers` are in lower case.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and timestamp and given):
        raise BadSignature("webhook-id, webhook-timestamp and webhook-signature are required")
    if not (message_id + given).isascii():
        raise BadSignature("webhook-id and webhook-signature must be ASCII")
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise BadSignature("webhook-timestamp must be whole seconds since the epoch")
    if len(timestamp) > 12 or abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp must be within {TOLERANCE_S} s of now")
    expected = [_signature(key, message_id, timestamp, body).encode() for key in _keys(secret)]
    signatures = [part.removeprefix("v1,").encode() for part in given.split(" ")]
    # Compare all pairs, so that the time taken does not tell which key or part was close.
    matches = [hmac.compare_digest(e, s) for e in expected for s in signatures]
    if not any(matches):
        raise BadSignature("webhook-signature does not match the body")


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _keys(secret: str) -> list[bytes]:
    """Return the keys in `secret`; raise ValueError for none or a short one."""
    try:
        keys = [base64.b64decode(k.removeprefix("whsec_"), validate=True) for k in secret.split()]
    except binascii.Error:
        keys = []
    if not keys or any(len(key) < 24 for key in keys):
        # Not chained: the other error would quote the secret.
        raise ValueError("a webhook secret must be base64 of at least 24 bytes") from None
    return keys
