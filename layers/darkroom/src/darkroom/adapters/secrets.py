"""Secrets from Secrets Manager, kept for five minutes, so that a rotation needs no deploy."""

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
        return str(provider.get(name, max_age=MAX_AGE_S))

    return value
