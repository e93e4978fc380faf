"""The API keeps to its own description, whatever it is sent: Schemathesis against the running stack."""

import re
import subprocess
import sys

import pytest

from local import openapi, package
from tests.stack.conftest import Api

# "Between 1 and 100 items in both lists together, ids unique" cannot be said in JSON Schema.
NOT_CHECKED = "positive_data_acceptance"


def test_nothing_sent_gives_an_answer_that_is_not_described(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.set_studio(latency_median=0, latency_p95=9)
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
    api.set_studio()
    with capsys.disabled():
        sys.stdout.write(" ".join(["", *re.findall(r"\d+ generated.*", done.stdout)]))
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d\d generated, \d+ passed", done.stdout), done.stdout
