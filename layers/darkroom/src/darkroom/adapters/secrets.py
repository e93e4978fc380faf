"""Read secrets from Secrets Manager and keep each for five minutes, so that a rotation needs no deploy."""

import codecs
import json
from collections.abc import Callable

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from darkroom.adapters import aws

MAX_AGE_S = 300
"""Seconds that a value is kept."""

_FINAL = frozenset(
    {"AccessDeniedException", "ResourceNotFoundException", "DecryptionFailure", "InvalidRequestException"}
)
"""Codes of Secrets Manager that a retry cannot change: no permission, no such secret, no key, deleted."""

type Secret = Callable[[], str]
"""Return the current value; read it again when the kept one is too old."""


def secret(name: str) -> Secret:
    """Return the secret with this name or ARN. It is read at the first call, not here."""
    provider = SecretsProvider(boto3_client=aws.secretsmanager())

    def value() -> str:
        stored = provider.get(name, max_age=MAX_AGE_S)
        return decode_secret(stored if isinstance(stored, bytes) else str(stored))

    return value


def api_key(name: str) -> Secret:
    """Return the provider's key in the secret with this name or ARN.

    Reading it raises ValueError when an operator must repair the secret, and any other error when the secret
    cannot be read now.
    """
    read = secret(name)

    def value() -> str:
        try:
            return key_in(read())
        except GetParameterError as error:
            cause = error.__context__  # the text that Powertools keeps may quote names
            code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""
            if code in _FINAL:
                raise ValueError(f"the secret of the provider's key cannot be read: {code}") from None
            raise

    return value


def key_in(stored: str) -> str:
    """Return the key in a secret: its whole text, or the field `apiKey` of its JSON.

    Raises ValueError, which quotes nothing of the secret, for JSON without that field.
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


def decode_secret(stored: str | bytes) -> str:
    """Return the text of a secret that was stored as text or as binary.

    Files written on Windows have a byte-order mark, line ends, or are in UTF-16. Raises ValueError, which
    quotes nothing of the secret, for bytes that are no text.
    """
    if isinstance(stored, bytes):
        utf_16 = stored.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            stored = stored.decode("utf-16" if utf_16 else "utf-8")
        except UnicodeDecodeError:
            raise ValueError("the secret is binary and no text") from None
    return stored.strip("\ufeff \t\r\n")
