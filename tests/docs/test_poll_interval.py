"""The service says in `Retry-After` when to poll again; who polls begins with the same number."""

import re

from darkroom.api.responses import POLL_S
from darkroom_client import protocol

from local import package


def test_the_client_begins_with_the_interval_of_the_service() -> None:
    assert protocol._POLL_S == POLL_S


def test_the_viewer_begins_with_the_interval_of_the_service() -> None:
    viewer = (package.FUNCTIONS / "reader" / "page" / "viewer.js").read_text()
    assert re.findall(r"\bPOLL_S = (\d+)", viewer) == [str(POLL_S)]


def test_the_block_of_the_readme_polls_at_the_interval_of_the_service() -> None:
    readme = (package.ROOT / "README.md").read_text()
    assert set(re.findall(r"\bsleep (\d+); done", readme)) == {str(POLL_S)}
