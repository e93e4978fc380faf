"""Which of the libraries that are slow to start a function imports."""

import json
from pathlib import Path

from local.runtime import run

HEAVY = frozenset(
    {
        "PIL",
        "anyio",
        "asyncio",
        "aws_lambda_powertools.event_handler",
        "aws_lambda_powertools.event_handler.openapi.models",
        "aws_xray_sdk",
        "aws_lambda_powertools.utilities.parser",
        "cryptography",
        "httpx",
        "jwt",
        "pydantic",
        "pydantic.v1",
        "pydantic.deprecated",
    }
)
"""Each takes milliseconds or megabytes of every cold start that has it on its path."""


def found_by(code: str, *folders: Path) -> set[str]:
    """Every module that a fresh process has imported after `code`."""
    done = run(f"{code}\nimport json; print(json.dumps(list(sys.modules)))", *folders)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return set(json.loads(done.stdout.splitlines()[-1]))
