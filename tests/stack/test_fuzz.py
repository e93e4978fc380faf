"""Schemathesis sends random requests to the running stack: the API conforms to its description."""

import re
import subprocess
import sys

import pytest

from local import openapi, package
from tests.stack.conftest import Api

# JSON Schema cannot express "1 to 100 items in both lists together, with unique ids".
NOT_CHECKED = "positive_data_acceptance"


def test_every_response_conforms_to_the_description(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.configure_provider(latency_median=0, latency_p95=9)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", openapi.TARGET),
            *("--url", api.stack.api_url, "-H", f"Authorization: Bearer {api.stack.token}"),
            *(
                "--phases",
                "coverage,fuzzing",
                "--max-examples",
                "10",
                "--seed",
                "1",
                "--no-shrink",
                "--workers",
                "2",
            ),
            *("--exclude-checks", NOT_CHECKED, "--warnings", "off", "--continue-on-failure"),
        ],
        cwd=package.ROOT / ".local",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    api.configure_provider()
    with capsys.disabled():
        sys.stdout.write(" ".join(["", *re.findall(r"\d+ generated.*", done.stdout)]))
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d\d generated, \d+ passed", done.stdout), done.stdout
