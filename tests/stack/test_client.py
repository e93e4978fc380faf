"""The client and the command line, on the running stack."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.stack.conftest import Api, a_case

COMMAND = Path(sys.executable).with_name("darkroom")


def darkroom(api: Api, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"DARKROOM_URL": api.stack.api_url, "DARKROOM_TOKEN": api.stack.token}
    return subprocess.run(
        [COMMAND, *arguments],
        env={"PATH": os.environ["PATH"], "COLUMNS": "160", "NO_PROXY": "*", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_makes_pictures_from_a_case_file(api: Api, tmp_path: Path) -> None:
    file, out = tmp_path / "case.json", tmp_path / "out"
    file.write_text(json.dumps(a_case("by-command")))
    done = darkroom(api, "submit", str(file), "--out", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert "by-command completed  3 of 3" in done.stdout
    assert "/cases/by-command#" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["e-0.jpg", "e-1.jpg", "e-2.jpg", "job.json"]
    assert "submitted by default" in darkroom(api, "timeline", "by-command").stdout
    assert json.loads(darkroom(api, "metrics", "--json").stdout)["window"] == "24h"


def test_the_command_retries_a_missing_picture(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(a_case("again-by-command", 2)))
    api.configure_provider(script={"Key 1 of again-by-command": ["safety"]})
    first = darkroom(api, "submit", str(file), "--watch")
    api.configure_provider()
    assert (first.returncode, "e-1 Key 1 of again-by-command: refused" in first.stdout) == (3, True)
    again = darkroom(api, "retry", "again-by-command", "--description", "e-1=a bell", "--watch")
    assert (again.returncode, again.stderr) == (0, "")
    assert darkroom(api, "get", "nobody-has-it").returncode == 5
    assert json.loads(darkroom(api, "callbacks", "again-by-command", "--json").stdout)["deliveries"] == []
    assert darkroom(api, "replay", "again-by-command", "1").returncode == 5
