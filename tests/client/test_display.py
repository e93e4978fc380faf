"""The command's views at every width and on every kind of output."""

import io
import json
from collections.abc import Callable, Iterator

import pytest
from darkroom_client import Job, Timeline, display
from darkroom_client.models import Deliveries, Metrics
from darkroom_client.text import as_json, plain
from rich.cells import cell_len
from rich.console import Console

from tests.client.server import FAILED, job_response, the_job

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"
NAMES = [f"A name of some length {n}" for n in range(14)]
OPEN, ENDED = json.loads(job_response(the_job()).content), json.loads(job_response(FAILED).content)
JOB = Job.model_validate(
    OPEN
    | {"evidence": [{"id": f"evidence-{n}", "name": name} for n, name in enumerate(NAMES)], "locations": []}
)


class Screen(io.StringIO):
    """A terminal that keeps its output."""

    def isatty(self) -> bool:
        return True


def drawn(show: Callable[[Console], None], width: int) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=width, color_system=None))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 59, 60, 64, 65, 80, 100, 200])
def test_the_view_of_a_job_fits_every_width_and_names_every_item(width: int) -> None:
    title, bar, *rows = drawn(lambda console: console.print(display._view(JOB)), width)
    assert title.startswith("case-1 generating")
    assert set(bar.rstrip()) == {"━", "─"}
    assert all(cell_len(line) <= width for line in (title, bar, *rows))
    assert len(rows) <= 14
    shown = "\n".join(rows)
    assert shown.count("●") + shown.count("○") == 14
    assert all((name if width > 30 else name[:15]) in shown for name in NAMES)


@pytest.mark.parametrize("width", [20, 40, 60, 80])
@pytest.mark.parametrize(
    "name", ["鍵" * 30, "می\u200cخواهم" * 6, "👨\u200d👩\u200d👧" * 20, "é" * 90, "", "\u200d"]
)
def test_names_of_any_script_and_length_fit(name: str, width: int) -> None:
    items = [{"id": f"e-{n}", "name": name} for n in range(5)]
    job = Job.model_validate(OPEN | {"evidence": items, "locations": []})
    rows = drawn(lambda console: console.print(display._view(job)), width)
    assert all(cell_len(line) <= width for line in rows)
    assert "\n".join(rows).count("○") == 5


def test_a_terminal_gets_the_view_and_a_dumb_terminal_gets_lines() -> None:
    states = [Job.model_validate(OPEN | {"completedImages": done}) for done in (1, 2, 3)]
    screen, dumb = Screen(), Screen()
    display.follow(Console(file=screen, force_terminal=True, width=80), iter(states))
    display.follow(Console(file=dumb, force_terminal=True, _environ={"TERM": "dumb"}), iter(states))
    assert "\x1b[?25l" in screen.getvalue()
    assert [line.split("  ")[1] for line in dumb.getvalue().splitlines()] == ["1 of 3", "2 of 3", "3 of 3"]


def test_a_pipe_gets_each_state_when_it_arrives() -> None:
    out = io.StringIO()
    seen = []

    def states() -> Iterator[Job]:
        for _ in range(3):
            seen.append(len(out.getvalue().splitlines()))
            yield JOB

    display.follow(Console(file=out, width=20), states())
    assert seen == [0, 1, 2]
    assert len(out.getvalue().splitlines()) == 3


def an_attempt(at: int, milliseconds: int, outcome: str, item: str = "e") -> dict[str, object]:
    return {"kind": "attempt", "at": at, "milliseconds": milliseconds, "outcome": outcome, "shotId": item}


def a_timeline(*events: dict[str, object]) -> Timeline:
    run = {"run": 1, "claimedAt": 0, "events": list(events)}
    job = {"caseId": "c", "jobId": "j", "status": "completed", "version": 1, "createdAt": 0}
    return Timeline.model_validate({**job, "history": [], "runs": [run]})


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_attempts_at_the_same_time_are_drawn_below_each_other(width: int) -> None:
    found = a_timeline(
        an_attempt(0, 10_000, "made"),
        an_attempt(5_000, 5_000, "cancelled"),
        an_attempt(12_000, 8_000, "made", "f"),
    )
    _, first, second, other, _ = drawn(lambda console: display.timeline(console, found), width)
    assert first.count("█") == 2 * second.count("▒") > 0
    assert "▒" not in first
    assert other.index("█") > first.rindex("█")
    assert all(cell_len(line) <= width for line in (first, second, other))


def test_a_short_failed_attempt_does_not_hide_the_one_that_made_the_picture() -> None:
    found = a_timeline(
        an_attempt(0, 10, "made"), an_attempt(10, 10, "overloaded"), an_attempt(0, 100_000, "made", "f")
    )
    _, row, *_ = drawn(lambda console: display.timeline(console, found), 80)
    assert ("█" in row, "▓" in row) == (True, False)


def test_a_timeline_with_senseless_times_is_drawn() -> None:
    found = a_timeline(
        an_attempt(-5, -10, "made"), an_attempt(2**52, 2**52, "made"), an_attempt(3, 0, "made")
    )
    assert drawn(lambda console: display.timeline(console, found), 80)


def test_names_of_any_length_leave_room_for_the_bars() -> None:
    [row] = drawn(
        lambda console: display.timeline(console, a_timeline(an_attempt(0, 9, "made", "i" * 128))), 60
    )[1:-1]
    assert row.count("█") > 10


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_a_code_page_gets_characters_that_it_has(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
    console = Console(file=out, width=80)
    console.print(display._view(JOB))
    display.timeline(console, a_timeline(an_attempt(0, 9, "made"), an_attempt(3, 9, "cancelled")))
    display.summary(console, JOB)
    assert b"o A name of some length" in out.buffer.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "👨\u200d👩\u200d👧",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_names_keep_their_joiners(name: str) -> None:
    assert plain(name) == name
    assert name in as_json(JOB.model_copy(update={"case_id": name}), ascii_only=False)


def test_invisible_characters_are_removed() -> None:
    assert plain("Caf\u00ade \u200eof\u200f \ufeffhers\u2060") == "Cafe of hers"


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x80", "\x9b", "\u2028", "\u202e", "\u2066", "\ud800", "\r"]
)
def test_characters_that_control_a_terminal_are_replaced(character: str) -> None:
    assert plain(f"a{character}b") == "a�b"


def hostile(kind: type[Job | Timeline | Metrics | Deliveries]) -> Job | Timeline | Metrics | Deliveries:
    """Return a response with control characters in every text."""
    job = {**ENDED, "caseId": EVIL, "status": EVIL, "shareUrl": f"https://x/{EVIL}", "lastError": EVIL}
    job["evidence"] = [{"id": EVIL, "name": EVIL}]
    job["errors"] = {EVIL: {"code": EVIL, "message": EVIL, "retryable": False}}
    counts = dict.fromkeys(Metrics.model_fields, 0)
    each = {
        "version": 1,
        "event": EVIL,
        "url": EVIL,
        "state": EVIL,
        "attempts": 1,
        "createdAt": 1,
        "lastError": EVIL,
    }
    history = [{"at": 1, "action": EVIL, "run": 1, "by": EVIL}]
    runs = [{"run": 1, "claimedAt": 1, "events": [an_attempt(0, 9, EVIL, EVIL) | {"kind": EVIL}]}]
    bodies = {
        Job: job,
        Timeline: {**a_timeline().model_dump(), "history": history, "runs": runs},
        Metrics: counts | {"window": EVIL},
        Deliveries: {"caseId": EVIL, "jobId": EVIL, "deliveries": [each]},
    }
    return kind.model_validate(bodies[kind])


@pytest.mark.parametrize(
    ("show", "kind"),
    [
        (display.summary, Job),
        (display.failures, Job),
        (lambda console, job: console.print(display._view(job)), Job),
        (lambda console, job: display.follow(console, [job]), Job),
        (lambda console, job: display.line(console, job.share_url), Job),
        (lambda console, job: display.line(console, as_json(job, ascii_only=False)), Job),
        (display.timeline, Timeline),
        (display.metrics, Metrics),
        (display.callbacks, Deliveries),
    ],
)
def test_no_control_character_from_the_server_reaches_the_terminal(
    show: Callable[[Console, object], None], kind: type[Job | Timeline | Metrics | Deliveries]
) -> None:
    for out in (io.StringIO(), Screen()):
        show(Console(file=out, force_terminal=False, color_system=None, width=200), hostile(kind))
        assert not set("\x1b\x07\x9b\u202e") & set(out.getvalue())
        assert "evil" in out.getvalue()


def test_json_for_programs_keeps_every_value() -> None:
    evil = hostile(Job)
    for ascii_only in (False, True):
        text = as_json(evil, ascii_only=ascii_only)
        assert Job.model_validate_json(text) == evil
        assert text.isascii() or not ascii_only


def test_characters_that_an_address_may_not_contain_are_escaped_in_a_link() -> None:
    assert (
        Job.model_validate({**ENDED, "shareUrl": "https://x/\x1b[2J é"}).share_url
        == "https://x/%1B[2J%20%C3%A9"
    )


def test_the_status_has_its_colour() -> None:
    failed = Job.model_validate(ENDED | {"status": "failed"})
    assert [span.style for span in display.headline(failed).spans] == ["bold", "red"]
