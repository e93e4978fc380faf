"""Secrets from Secrets Manager, kept for five minutes, so that a rotation needs no deploy."""

import codecs
import json
from collections.abc import Callable

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from darkroom.adapters import aws

MAX_AGE_S = 300

_FINAL = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "DecryptionFailure", "InvalidRequestException"}
)
"""Codes of Secrets Manager that no other try changes: no permission, no such secret, no key, deleted."""

type Secret = Callable[[], str]
"""The current value; reads again when the kept one is too old."""


def secret(name: str) -> Secret:
    """The secret with this name or ARN, read when it is first asked for."""
    provider = SecretsProvider(boto3_client=aws.secretsmanager())

    def value() -> str:
        stored = provider.get(name, max_age=MAX_AGE_S)
        return plain(stored if isinstance(stored, bytes) else str(stored))

    return value


def api_key(name: str) -> Secret:
    """Return the provider's key in the secret with this name or ARN.

    Reading it raises ValueError when an operator must mend the secret, and anything else when it cannot
    be read now.
    """
    read = secret(name)

    def value() -> str:
        try:
            return key_in(read())
        except GetParameterError as error:
            cause = error.__context__  # Powertools keeps only its text, which may quote names
            code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""
            if code in _FINAL:
                raise ValueError(f"the secret of the provider's key cannot be read: {code}") from None
            raise

    return value


def key_in(stored: str) -> str:
    """Return the key that a secret holds: as its text, or as the field `apiKey` of JSON.

    Raises ValueError, which quotes nothing, for JSON without that field.
    """
    if not stored.startswith("{"):
        return stored
    try:
        found = json.loads(stored).get("apiKey")
    except ValueError:
        found = None
    if isinstance(found, str):
        return found
    raise ValueError("the secret must be the key, or JSON with the key in the field apiKey")


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
