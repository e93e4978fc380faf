"""A case as people see it on the page."""

import re
import zipfile

import pytest
from playwright.sync_api import expect

from testing.real_time import wait_for
from testing.worker_processes import kill_workers
from tests.browser.conftest import NARROW, Viewer, a_case, the_case

HOSTILE = '<img src=x onerror="alert(1)">\u202egnp.exe <script>alert(2)</script> 🔪'


def test_pictures_appear_while_the_case_runs_and_at_the_end_all_are_made(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=3.0, latency_p95=12.0)
    page = viewer.page
    page.goto(viewer.submit(the_case("the-clock")))
    expect(page.locator(".print")).to_have_count(14)
    viewer.keep("1-empty")
    expect(page.locator(".print img").first).to_be_visible(timeout=20_000)
    expect(page.locator(".coming").first).to_be_visible()
    page.wait_for_timeout(2500)
    viewer.keep("2-half-way")
    expect(page.get_by_role("status")).to_contain_text("All pictures are made", timeout=60_000)
    expect(page.locator(".print img")).to_have_count(14)
    page.wait_for_timeout(2500)
    page.locator("#timeline summary").click()
    expect(page.locator("#chart svg").first).to_be_visible()
    viewer.keep("3-done")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_a_caller_cancels_a_case_on_the_page(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=20.0, latency_p95=25.0)
    page = viewer.page
    page.goto(viewer.owners_link(viewer.submit(a_case("the-cancelled", "One", "Two"))))
    page.get_by_role("button", name="Cancel").click(timeout=20_000)
    expect(page.get_by_role("status")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    viewer.keep("7-cancelled")


def test_names_are_inserted_as_text_only(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(a_case("the-hostile", HOSTILE, "x" * 200)))
    expect(page.locator(".print img")).to_have_count(2)
    assert page.locator(".print h3").first.text_content() == HOSTILE
    assert page.evaluate("document.scripts.length") == 1
    viewer.keep("8-hostile")


@pytest.mark.browser(**NARROW)
def test_nothing_is_cut_off_on_a_narrow_screen(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(the_case("the-narrow")))
    expect(page.locator(".print img")).to_have_count(14, timeout=60_000)
    page.wait_for_timeout(2500)
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    viewer.keep("9-narrow")


@pytest.mark.browser(color_scheme="light", reduced_motion="reduce")
def test_the_light_page_has_no_animation_with_reduced_motion(viewer: Viewer) -> None:
    viewer.configure_provider(script={"Lost": ["safety"]})
    page = viewer.page
    page.goto(viewer.submit(a_case("the-light", "Key", "Lost", "Lamp", "Letter"), share="retry"))
    expect(page.locator(".print img")).to_have_count(3)
    assert page.evaluate("document.getAnimations().length") == 0
    viewer.keep("10-light")


def test_a_lost_connection_is_reported_and_restored(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=4.0, latency_p95=5.0)
    page = viewer.page
    page.goto(viewer.submit(a_case("the-cable", "Key")))
    expect(page.locator(".print")).to_have_count(1)
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("connection is lost")
    viewer.keep("11-offline")
    page.context.set_offline(False)
    expect(page.locator(".print img")).to_have_count(1, timeout=30_000)
    expect(page.get_by_role("alert")).to_be_hidden()
    viewer.errors.clear()  # the browser reports each request that had no connection


def test_an_altered_link_and_one_of_another_case_are_not_valid(viewer: Viewer) -> None:
    page = viewer.page
    link = viewer.submit(a_case("the-link", "Key"))
    for wrong in (link[:-4] + "AAAA", link.replace("the-link#", "another#"), link.partition("#")[0]):
        page.goto("about:blank")
        page.goto(wrong)
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        expect(page.locator(".print")).to_have_count(0)


def test_all_pictures_can_be_downloaded_as_a_zip_and_on_a_contact_sheet(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit(a_case("the-download", "Key", "Lamp", "Letter")))
    expect(page.get_by_role("status")).to_contain_text("All pictures are made")
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


def test_a_lost_worker_is_named_until_another_has_taken_over(viewer: Viewer) -> None:
    viewer.configure_provider(latency_median=30.0, latency_p95=35.0)
    page = viewer.page
    page.goto(viewer.submit(a_case("the-lost", "One", "Two", "Three")))
    wait_for(lambda: viewer.job("the-lost")["status"], lambda status: status == "generating", "the claim")
    kill_workers(viewer.stack)
    viewer.configure_provider()
    reasons = page.locator("#reasons")
    expect(reasons).to_contain_text("A worker was lost, another takes over.", timeout=20_000)
    viewer.keep("10-worker-lost")
    expect(page.get_by_role("status")).to_contain_text("All pictures are made", timeout=90_000)
    expect(reasons).to_be_hidden()
