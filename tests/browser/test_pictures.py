"""Pictures that load late or not at all, and the enlarged view."""

from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Viewer, a_case

PICTURES = "**/api/cases/*/images/*"


def test_a_picture_that_fails_to_load_is_loaded_again_automatically(viewer: Viewer) -> None:
    failed: list[str] = []

    def twice(route: Route) -> None:
        if route.request.resource_type == "image" and len(failed) < 2:
            failed.append(route.request.url)
            route.fulfill(status=503)
        else:
            route.continue_()

    viewer.page.route(PICTURES, twice)
    viewer.page.goto(viewer.submit_and_finish(a_case("loads-late", "Key")))
    expect(viewer.page.locator(".print img")).to_have_count(1)
    assert len(failed) == 2


def test_a_new_attempt_bypasses_the_cache_which_may_hold_an_expired_address(viewer: Viewer) -> None:
    requests: list[str] = []

    def once(route: Route) -> None:
        requests.append(
            f"{route.request.resource_type} {route.request.headers.get('cache-control', '')}".strip()
        )
        route.fulfill(status=403) if len(requests) == 1 else route.continue_()

    viewer.page.route(PICTURES, once)
    viewer.page.goto(viewer.submit_and_finish(a_case("loads-past-the-cache", "Key")))
    expect(viewer.page.locator(".print img")).to_have_count(1)
    assert requests[1].startswith("fetch")
    assert requests[2].startswith("image")


def test_a_picture_that_cannot_be_loaded_has_a_button_that_loads_it_again(viewer: Viewer) -> None:
    page = viewer.page
    page.route(PICTURES, lambda route: route.fulfill(status=503))
    page.goto(viewer.submit_and_finish(a_case("loads-never", "Key", "Lamp")))
    button = page.get_by_role("button", name="Load again Key")
    expect(button).to_be_visible(timeout=40_000)
    expect(page.locator(".coming")).to_have_count(0)
    expect(page.locator(".unloaded .why").first).to_have_text("The picture could not be loaded.")
    viewer.keep("12-not-loaded")
    page.unroute(PICTURES)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Enlarge Key")).to_be_focused()
    expect(page.locator(".print img")).to_have_count(1)


def test_a_picture_that_hangs_has_a_load_button_and_is_still_shown_when_it_arrives(viewer: Viewer) -> None:
    page = viewer.page
    hanging: list[Route] = []

    def hang(route: Route) -> None:
        hanging.append(route)

    page.route(PICTURES, hang)
    page.clock.install()
    page.goto(viewer.submit_and_finish(a_case("loads-slowly", "Key")))
    expect(page.locator(".coming")).to_have_count(1)
    page.clock.fast_forward(46_000)
    expect(page.get_by_role("button", name="Load again Key")).to_be_visible()
    hanging[0].continue_()
    expect(page.get_by_role("button", name="Enlarge Key")).to_be_visible()
    expect(page.get_by_role("button", name="Load again Key")).to_be_hidden()


def test_a_broken_link_is_replaced_from_the_job(viewer: Viewer) -> None:
    conditional: list[bool] = []

    def stale_at_first(route: Route) -> None:
        conditional.append("if-none-match" in route.request.headers)
        response = route.fetch()
        if len(conditional) > 1:
            route.fulfill(response=response)
            return
        job: dict[str, Any] = response.json()
        job["evidenceImages"] = {i: f"{link[:-4]}AAAA" for i, link in job["evidenceImages"].items()}
        route.fulfill(response=response, json=job)

    viewer.page.route("**/image-job", stale_at_first)
    viewer.page.goto(viewer.submit_and_finish(a_case("loads-stale", "Key", "Lamp")))
    expect(viewer.page.locator(".print img")).to_have_count(2)
    assert conditional[:2] == [False, False]


def test_a_picture_can_be_enlarged_by_keyboard_and_the_focus_returns(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit_and_finish(a_case("enlarged", "Key", "Lamp", "Letter")))
    expect(page.locator(".print img")).to_have_count(3)
    first = page.get_by_role("button", name="Enlarge Key")
    first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Key")
    expect(dialog).to_contain_text("1 of 3")
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("img", name="Lamp")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(dialog).to_contain_text("3 of 3")
    dialog.get_by_role("button", name="Next").click()
    expect(dialog).to_contain_text("1 of 3")
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('dialog *, body')")
    viewer.keep("13-enlarged")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(first).to_be_focused()
    assert len(page.context.pages) == 1


def test_the_copied_link_is_the_share_link(viewer: Viewer) -> None:
    page = viewer.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link = viewer.submit_and_finish(a_case("copied", "Key"))
    page.goto(link)
    page.get_by_role("button", name="Enlarge Key").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link to this page was copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link


def test_a_link_with_a_callers_own_token_cannot_be_copied(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.owners_link(viewer.submit_and_finish(a_case("not-copied", "Key"))))
    page.get_by_role("button", name="Enlarge Key").click()
    expect(page.get_by_role("button", name="Close")).to_be_visible()
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()


def test_a_replaced_case_shows_nothing_of_the_previous_one(viewer: Viewer) -> None:
    page = viewer.page
    page.goto(viewer.submit_and_finish(a_case("replaced", "Key", "Lamp")))
    expect(page.locator(".print img")).to_have_count(2)
    again = viewer.http.post(
        "/api/generate-case-images", json=a_case("replaced", "Glove"), params={"replace": "true"}
    )
    assert again.status_code == 202
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".print h3")).to_have_text(["Glove"])
    expect(page.get_by_role("button", name="Enlarge Glove")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_names_of_any_length_and_script_fit(viewer: Viewer, width: int) -> None:
    page = viewer.page
    page.set_viewport_size({"width": width, "height": 740})
    names = ["W" * 200, "Brief " * 33, "رسالة ممزقة من صاحب المستودع (١٧)", "क्षत्रिय की चाबी", "👩‍👩‍👧‍👦" * 18]
    page.goto(viewer.submit_and_finish(a_case(f"names-{width}", *names)))
    expect(page.locator(".print img")).to_have_count(5)
    page.locator("#timeline summary").click()
    expect(page.locator("#chart svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".print bdi").evaluate_all("all => all.every(h => h.scrollWidth <= h.clientWidth)")
    assert page.locator(".print h3").evaluate_all("all => all.map(h => h.title)") == names
    assert page.locator(".row span").evaluate_all("all => all.map(s => s.title)") == [*names, "Reports"]
    assert page.locator(".print bdi").nth(2).evaluate("h => getComputedStyle(h).direction") == "rtl"
    page.get_by_role("button", name="Enlarge W").click()
    dialog = page.get_by_role("dialog")
    assert dialog.evaluate("d => d.scrollWidth <= d.clientWidth")
    viewer.keep(f"14-names-{width}")
    page.keyboard.press("Escape")
    with page.expect_download() as found:
        page.get_by_role("button", name="Contact sheet").click()
    assert found.value.path().stat().st_size > 1000
