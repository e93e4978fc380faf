"""The failures that people see on the page, and their retries."""

import json
import re
import zipfile
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Viewer, a_case, the_case

INHERITED = ("constructor", "toString", "__proto__", "hasOwnProperty", "valueOf")
"""Properties of every object in JavaScript, which are valid ids of items."""


def retries(page: Page) -> list[dict[str, Any]]:
    """Return a list that collects the bodies of the page's retries from now on."""
    found: list[dict[str, Any]] = []

    def listen(request: Request) -> None:
        if request.url.endswith("/retry"):
            found.append(json.loads(request.post_data or "{}"))

    page.on("request", listen)
    return found


def test_a_failure_shows_its_reason_and_is_retried_with_another_description(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Refused key": ["safety"]})
    page, sent = viewer.page, retries(viewer.page)
    page.goto(viewer.submit(a_case("the-refusal", "Good key", "Refused key"), share="retry"))
    expect(page.locator(".failed .why")).to_have_text("Refused")
    expect(page.locator("#reasons")).to_have_text(re.compile("1 picture: The image model refused"))
    viewer.keep("4-failure")
    page.get_by_role("button", name="Try again… Refused key").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Description of Refused key")).to_have_value("brass")
    expect(page.get_by_label("Description")).to_have_count(1)
    page.get_by_label("Description").fill("a harmless key")
    viewer.keep("5-retry-dialog")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator(".print img")).to_have_count(2)
    expect(page.get_by_role("status")).to_contain_text("All pictures are made")
    expect(page.locator("#reasons")).to_be_hidden()
    assert sent == [{"shots": {"e-1": {"description": "a harmless key"}}}]


def test_a_failed_case_shows_each_reason_once_and_a_reader_may_not_retry(viewer: Viewer) -> None:
    case = the_case("the-failure")
    names = [item["name"] for item in (*case["evidence"], *case["locations"])]
    viewer.configure_provider(script={name: ["safety"] for name in names})
    page = viewer.page
    page.goto(viewer.submit(case))
    expect(page.get_by_role("status")).to_contain_text("No picture could be made", timeout=40_000)
    assert page.inner_text("body").count("The image model refused the description") == 1
    expect(page.locator("#reasons")).to_contain_text("14 pictures: The image model refused")
    expect(page.locator(".failed .why")).to_have_text(["Refused"] * 14)
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    viewer.keep("6-failed")


def test_the_retry_dialog_shows_only_the_refused_descriptions(
    viewer: Viewer,
) -> None:
    viewer.configure_provider(
        script={"Refused a": ["safety"], "Refused b": ["safety"], "Odd": ["no-image"] * 3}
    )
    page, sent = viewer.page, retries(viewer.page)
    page.goto(viewer.submit_and_finish(a_case("red", "Refused a", "Refused b", "Odd"), share="retry"))
    page.get_by_role("button", name="Retry missing pictures").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_have_count(2)
    expect(dialog).to_contain_text(
        "1 other missing picture will be requested again with the same description."
    )
    send = dialog.locator("#retry-send")
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("2 descriptions are unchanged")
    expect(dialog.get_by_label("Description of Refused a")).to_be_focused()
    page.keyboard.type("A new one")
    expect(dialog.get_by_role("alert")).to_be_hidden()
    dialog.get_by_label("Description of Refused b").fill(" \n ")
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("1 description is empty")
    expect(dialog.get_by_label("Description of Refused b")).to_have_attribute("aria-invalid", "true")
    assert sent == []
    dialog.get_by_label("Description of Refused a").fill("polished brass")
    dialog.get_by_label("Description of Refused b").fill("brass")
    send.click()
    expect(dialog.get_by_role("alert")).to_contain_text("1 description is unchanged")
    viewer.keep("15-unchanged")
    expect(send).to_have_text("Send unchanged")
    send.click()
    expect(page.locator(".print img")).to_have_count(3)
    assert sent == [{"shots": {"e-0": {"description": "polished brass"}}}]


def test_without_a_refused_description_the_retry_dialog_only_asks_for_confirmation(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Odd a": ["no-image"] * 3, "Odd b": ["no-image"] * 3})
    page, sent = viewer.page, retries(viewer.page)
    page.goto(viewer.submit_and_finish(a_case("red-plain", "Odd a", "Odd b"), share="retry"))
    page.get_by_role("button", name="Retry missing pictures").click()
    expect(page.get_by_role("dialog")).to_contain_text(
        "2 missing pictures will be requested again with the same descriptions."
    )
    page.keyboard.press("Escape")
    assert sent == []
    page.get_by_role("button", name="Retry missing pictures").click()
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator(".print img")).to_have_count(2)
    assert sent == [{"shots": {}}]


def test_the_elapsed_time_never_falls_and_no_time_left_is_shown_after_the_end(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Odd": ["no-image"] * 3})
    page = viewer.page
    page.clock.install()
    page.goto(viewer.submit_and_finish(a_case("time", "Key", "Odd"), share="retry"))
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^\d+ s$"))
    expect(page.get_by_text("Time left", exact=True)).to_be_hidden()
    viewer.configure_provider(latency_median=3.0, latency_p95=4.0)
    submitted = viewer.job("time")["createdAt"]
    page.clock.set_system_time(submitted / 1000 + 600)  # ten minutes later somebody retries
    page.get_by_role("button", name="Retry missing pictures").click()
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^10 min"))
    expect(page.get_by_text("Time left", exact=True)).to_be_visible()


def test_a_cancelled_case_shows_no_failures_and_a_guest_cannot_retry_it(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=30.0, latency_p95=40.0)
    page = viewer.page
    link = viewer.submit(a_case("undrawn", "Key", "Lamp"), share="retry")
    viewer.http.delete("/api/cases/undrawn/image-job").raise_for_status()
    page.goto(link)
    expect(page.locator(".undone .why")).to_have_text(["Not made", "Not made"])
    expect(page.locator(".failed")).to_have_count(0)
    assert page.locator(".paper").evaluate_all(
        "all => all.every(p => !getComputedStyle(p, '::before').content.includes('✕'))"
    )
    expect(page.locator("#reasons")).to_contain_text(
        "Only the person who submitted the case can start it again."
    )
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    viewer.keep("16-cancelled")
    page.goto("about:blank")
    page.goto(viewer.owners_link(link))
    expect(page.get_by_role("button", name="Retry missing pictures")).to_be_visible()
    expect(page.get_by_role("button", name="Try again…")).to_have_count(2)


@pytest.mark.parametrize(("status", "code"), [(429, "daily_limit"), (403, "forbidden")])
def test_a_refused_retry_shows_the_reason_and_is_not_offered_again(
    viewer: Viewer, status: int, code: str
) -> None:
    viewer.configure_provider(script={"Odd": ["no-image"] * 3})
    page = viewer.page
    page.goto(viewer.submit_and_finish(a_case(f"barred-{status}", "Odd", "Key"), share="retry"))

    def refuse(route: Route) -> None:
        problem = {
            "type": "t",
            "title": "t",
            "status": status,
            "code": code,
            "detail": "this link has no retries left",
        }
        route.fulfill(status=status, content_type="application/problem+json", body=json.dumps(problem))

    page.route("**/retry", refuse)
    page.get_by_role("button", name="Retry missing pictures").click()
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("This link has no retries left.")
    expect(page.get_by_role("button", name="Try")).to_have_count(0)
    expect(page.locator("#prints")).to_be_focused()


def test_a_written_description_is_kept_when_the_retry_fails(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Refused": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit_and_finish(a_case("draft", "Refused"), share="retry"))
    page.route("**/retry", lambda route: route.fulfill(status=503))
    page.get_by_role("button", name="Retry missing pictures").click()
    page.get_by_label("Description").fill("polished brass")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The server returned 503.")
    page.unroute("**/retry")
    page.get_by_role("button", name="Retry missing pictures").click()
    expect(page.get_by_label("Description")).to_have_value("polished brass")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator(".print img")).to_have_count(1)


def a_case_with_inherited_names(case_id: str) -> dict[str, Any]:
    items = [{"id": each, "name": f"Item {each}", "description": "brass"} for each in INHERITED]
    return {"caseId": case_id, "evidence": items[:3], "locations": items[3:]}


def test_a_missing_picture_is_shown_as_missing_whatever_its_id(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=30.0, latency_p95=40.0)
    page = viewer.page
    link = viewer.submit(a_case_with_inherited_names("inherited-cancelled"))
    viewer.http.delete("/api/cases/inherited-cancelled/image-job").raise_for_status()
    page.goto(viewer.owners_link(link))
    expect(page.locator(".print .why")).to_have_text(["Not made"] * 5)
    expect(page.locator(".print img")).to_have_count(0)
    expect(page.get_by_role("button", name="Try again…")).to_have_count(5)


def test_items_of_any_id_are_retried_downloaded_and_found_in_the_timeline(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Item __proto__": ["safety"], "Item valueOf": ["safety"]})
    page, sent = viewer.page, retries(viewer.page)
    page.goto(viewer.submit_and_finish(a_case_with_inherited_names("inherited"), share="retry"))
    expect(page.locator(".failed .why")).to_have_text(["Refused", "Refused"])
    expect(page.locator(".print img")).to_have_count(3)
    with page.expect_download() as found:
        page.get_by_role("button", name="Download all (zip)").click()
    with zipfile.ZipFile(found.value.path()) as archive:
        assert archive.namelist() == ["constructor.jpg", "toString.jpg", "hasOwnProperty.jpg"]
    page.get_by_role("button", name="Retry missing pictures").click()
    expect(page.get_by_label("Description")).to_have_count(2)
    for each in page.get_by_label("Description").all():
        each.fill("harmless")
    page.get_by_role("button", name="Try again", exact=True).click()
    expect(page.locator(".print img")).to_have_count(5)
    page.locator("#timeline summary").click()
    names = [f"Item {each}" for each in INHERITED]
    expect(page.locator("#chart h3 ~ .row span")).to_have_text([*names, "Reports"])
    change = {"description": "harmless"}
    assert sent == [{"shots": {"__proto__": change, "valueOf": change}}]


def test_a_zip_that_lacks_pictures_says_so(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit_and_finish(a_case("zip-short", "Key", "Lamp")))

    def cut(route: Route) -> None:
        response = route.fetch()
        job: dict[str, Any] = response.json()
        job["evidenceImages"]["e-1"] = viewer.job("zip-short")["evidenceImages"]["e-1"]
        route.fulfill(response=response, json=job | {"linkedIds": ["e-1"]})

    page.route("**/image-job?images=inline", cut)
    with page.expect_download() as found:
        page.get_by_role("button", name="Download all (zip)").click()
    with zipfile.ZipFile(found.value.path()) as archive:
        assert archive.namelist() == ["e-0.jpg"]
    expect(page.get_by_role("alert")).to_contain_text("1 picture did not fit into the file.")
