"""The commands that the README has people paste do what it says."""

import json
import re
import subprocess
from pathlib import Path

from local import package
from tests.stack.conftest import Api


def test_the_block_of_the_api_works_when_it_is_pasted_whole(api: Api, tmp_path: Path) -> None:
    readme = (package.ROOT / "README.md").read_text()
    [block] = [b for b in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) if ".local/stack.json" in b]
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(api.stack.to_json())
    # A shell that reads commands goes on after a failed one, as the person's own does.
    done = subprocess.run(
        ["/usr/bin/env", "bash"],
        input=block,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "evidence-1.jpg").read_bytes().startswith(b"\xff\xd8")
    assert "HTTP/1.1 202" in done.stdout
    assert "data:image/jpeg;base64," in done.stdout
    assert api.job("case-42")["status"] == "completed"
    job = api.job("case-43")
    assert (job["status"], job["maxCostUsd"]) == ("cancelled", 0.1)


def test_local_addresses_and_tokens_mean_themselves_in_a_shell(api: Api) -> None:
    stack = json.loads(api.stack.to_json())
    plain = re.compile(r"[\w:/.%+=-]+")
    assert {
        name for name, text in stack.items() if isinstance(text, str) and not plain.fullmatch(text)
    } == set()
