"""What people see of a case."""

import json
import re
import zipfile
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser.conftest import Viewer
from local import package

NARROW = {"viewport": {"width": 360, "height": 740}}
HOSTILE = '<img src=x onerror="alert(1)">\u202egnp.exe <script>alert(2)</script> 🔪'


def the_case(case_id: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((package.ROOT / "events" / "case.json").read_text())
    return made | {"caseId": case_id}


def a_case(case_id: str, *names: str) -> dict[str, Any]:
    items = [{"id": f"e-{n}", "name": name, "description": "brass"} for n, name in enumerate(names)]
    return {"caseId": case_id, "evidence": items}


def test_pictures_appear_while_the_case_runs_and_then_it_is_done(viewer: Viewer) -> None:
    viewer.set_studio(latency_median=3.0, latency_p95=12.0)
    page = viewer.page
    page.goto(viewer.submit(the_case("the-clock")))
    expect(page.locator(".print")).to_have_count(14)
    viewer.keep("1-empty")
    expect(page.locator(".print img").first).to_be_visible(timeout=20_000)
    expect(page.locator(".coming").first).to_be_visible()
    page.wait_for_timeout(2500)
    viewer.keep("2-half-way")
    expect(page.get_by_role("status")).to_contain_text("All pictures are developed", timeout=60_000)
    expect(page.locator(".print img")).to_have_count(14)
    page.wait_for_timeout(2500)
    page.locator("#timeline summary").click()
    expect(page.locator("#chart svg").first).to_be_visible()
    viewer.keep("3-done")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_a_failure_says_why_and_is_tried_again_with_another_description(viewer: Viewer) -> None:
    viewer.set_studio(script={"Refused key": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit(a_case("the-refusal", "Good key", "Refused key"), share="retry"))
    expect(page.locator(".lost .why")).to_contain_text("refused this description", timeout=20_000)
    viewer.keep("4-failure")
    page.locator(".lost button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("brass")
    page.get_by_label("Description").fill("a harmless key")
    viewer.keep("5-retry-dialog")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator(".print img")).to_have_count(2, timeout=20_000)
    expect(page.get_by_role("status")).to_contain_text("All pictures are developed")


def test_a_failed_case_says_so_and_a_reader_may_not_retry(viewer: Viewer) -> None:
    viewer.set_studio(script={"Bad a": ["safety"], "Bad b": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit(a_case("the-failure", "Bad a", "Bad b")))
    said = "No picture could be made. The image model refused this description."
    expect(page.get_by_role("alert")).to_contain_text(said, timeout=20_000)
    expect(page.get_by_role("button")).to_have_count(0)
    viewer.keep("6-failed")


def test_with_a_retry_link_a_failed_case_can_be_tried_again_as_a_whole(viewer: Viewer) -> None:
    viewer.set_studio(script={"Poor a": ["safety"], "Poor b": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit(a_case("the-second-chance", "Poor a", "Poor b"), share="retry"))
    page.get_by_role("button", name="Try what is missing again").click(timeout=20_000)
    expect(page.locator(".print img")).to_have_count(2, timeout=20_000)


def test_a_caller_cancels_and_the_page_says_so(viewer: Viewer) -> None:
    viewer.set_studio(latency_median=20.0, latency_p95=25.0)
    page = viewer.page
    link = viewer.submit(a_case("the-cancelled", "One", "Two")).partition("#")[0]
    page.goto(f"{link}#{quote(viewer.stack.token, safe='')}")
    page.get_by_role("button", name="Cancel").click(timeout=20_000)
    expect(page.get_by_role("status")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    viewer.keep("7-cancelled")


def test_names_are_only_ever_text(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(a_case("the-hostile", HOSTILE, "x" * 200)))
    expect(page.locator(".print img")).to_have_count(2, timeout=20_000)
    assert page.locator(".print h3").first.inner_text() == HOSTILE
    assert page.evaluate("document.scripts.length") == 1
    viewer.keep("8-hostile")


@pytest.mark.browser(**NARROW)
def test_on_a_narrow_screen_nothing_is_cut_off(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(the_case("the-narrow")))
    expect(page.locator(".print img")).to_have_count(14, timeout=60_000)
    page.wait_for_timeout(2500)
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    viewer.keep("9-narrow")


@pytest.mark.browser(color_scheme="light", reduced_motion="reduce")
def test_in_the_light_without_motion(viewer: Viewer) -> None:
    viewer.set_studio(script={"Lost": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit(a_case("the-light", "Key", "Lost", "Lamp", "Letter"), share="retry"))
    expect(page.locator(".print img")).to_have_count(3, timeout=20_000)
    assert page.evaluate("document.getAnimations().length") == 0
    viewer.keep("10-light")


def test_a_lost_connection_is_said_and_survived(viewer: Viewer) -> None:
    viewer.set_studio(latency_median=4.0, latency_p95=5.0)
    page = viewer.page
    page.goto(viewer.submit(a_case("the-cable", "Key")))
    expect(page.locator(".print")).to_have_count(1)
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("connection is lost", timeout=20_000)
    viewer.keep("11-offline")
    page.context.set_offline(False)
    expect(page.locator(".print img")).to_have_count(1, timeout=30_000)
    expect(page.get_by_role("alert")).to_be_hidden()
    viewer.complaints.clear()  # the browser tells of each request that had no connection


def test_a_link_that_is_altered_or_of_another_case_says_so(viewer: Viewer) -> None:
    page = viewer.page
    link = viewer.submit(a_case("the-link", "Key"))
    for wrong in (link[:-4] + "AAAA", link.replace("the-link#", "another#"), link.partition("#")[0]):
        page.goto("about:blank")
        page.goto(wrong)
        expect(page.get_by_role("alert")).to_contain_text("not valid", timeout=20_000)
        expect(page.locator(".print")).to_have_count(0)


def test_all_pictures_come_as_a_zip_and_on_a_contact_sheet(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(a_case("the-download", "Key", "Lamp", "Letter")))
    expect(page.get_by_role("status")).to_contain_text("All pictures are developed", timeout=20_000)
    with page.expect_download() as found:
        page.get_by_role("button", name="Download all (zip)").click()
    with zipfile.ZipFile(found.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["e-0.jpg", "e-1.jpg", "e-2.jpg"]
        assert archive.read("e-0.jpg").startswith(b"\xff\xd8")
    with page.expect_download() as found:
        page.get_by_role("button", name="Contact sheet").click()
    assert re.fullmatch(r"the-download\.png", found.value.suggested_filename)
    assert found.value.path().read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_that_keeps_people_out(viewer: Viewer, scheme: str) -> None:
    viewer.set_studio(script={f"Lost {scheme}": ["safety"]})
    page = viewer.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(viewer.submit(a_case(f"the-axe-{scheme}", "Key", f"Lost {scheme}"), share="retry"))
    expect(page.locator(".print img")).to_have_count(1, timeout=20_000)
    page.locator("#timeline summary").click()
    expect(page.locator("#chart svg").first).to_be_visible()
    found = [Axe().run(page).response["violations"]]
    page.locator(".lost button").click()
    found.append(Axe().run(page).response["violations"])
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for each in found for v in each] == []
