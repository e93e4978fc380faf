"""How functions log: JSON lines by Powertools, an event name plus fields, one canonical line a call.

Never logged: a prompt, a description, a key, a signature, an address that grants access.
"""

from aws_lambda_powertools import Logger


def logger(service: str) -> Logger:
    """The logger of one function; `POWERTOOLS_LOG_LEVEL` sets its level."""
    return Logger(service=service, utc=True)
