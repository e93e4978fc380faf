"""Secrets from Secrets Manager, kept for five minutes, so that a rotation needs no deploy."""

import codecs
from collections.abc import Callable

from aws_lambda_powertools.utilities.parameters import SecretsProvider

from darkroom.adapters import aws

MAX_AGE_S = 300

type Secret = Callable[[], str]
"""The current value; reads again when the kept one is too old."""


def secret(name: str) -> Secret:
    """The secret with this name or ARN, read when it is first asked for."""
    provider = SecretsProvider(boto3_client=aws.secretsmanager())

    def value() -> str:
        stored = provider.get(name, max_age=MAX_AGE_S)
        return plain(stored if isinstance(stored, bytes) else str(stored))

    return value


def plain(stored: str | bytes) -> str:
    """Return the text of a secret as it was meant, whether it was stored as text or as binary.

    Files written on Windows bring a byte-order mark, UTF-16 and line ends. Raises ValueError, which
    quotes nothing, for bytes that are no text.
    """
    if isinstance(stored, bytes):
        utf_16 = stored.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            stored = stored.decode("utf-16" if utf_16 else "utf-8")
        except UnicodeDecodeError:
            raise ValueError("the secret is binary and no text") from None
    return stored.strip("\ufeff \t\r\n")
