"""Find which of the libraries that are slow to import a function imports."""

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
"""The slow libraries: each adds milliseconds or megabytes to a cold start that imports it."""


def found_by(code: str, *folders: Path) -> set[str]:
    """Return every module that a new process has imported after `code`."""
    done = run(f"{code}\nimport json; print(json.dumps(list(sys.modules)))", *folders)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return set(json.loads(done.stdout.splitlines()[-1]))
