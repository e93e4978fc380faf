"""The page is accessible: by keyboard, in light and dark, on a narrow screen."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Viewer, a_case


def violations(page: Page) -> list[Any]:
    return [(v["id"], [n["html"] for n in v["nodes"]]) for v in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_violation(viewer: Viewer, scheme: str, width: int) -> None:
    viewer.configure_provider(script={"Lost": ["safety"], "Odd": ["no-image"]})
    page = viewer.page
    page.set_viewport_size({"width": width, "height": 740})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(viewer.submit_and_finish(a_case(f"axe-{scheme}-{width}", "Key", "Lost", "Odd"), share="retry"))
    expect(page.locator(".print img")).to_have_count(2)
    page.locator("#timeline summary").click()
    expect(page.locator("#chart svg").first).to_be_visible()
    found = [violations(page)]
    viewer.keep(f"17-{scheme}-{width}")
    page.get_by_role("button", name="Enlarge Key").click()
    found.append(violations(page))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Retry missing pictures").click()
    page.locator("#retry-send").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("unchanged")
    found.append(violations(page))
    assert found == [[], [], []]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_legend_of_the_timeline_shows_the_colours_that_are_in_it(viewer: Viewer, scheme: str) -> None:
    viewer.configure_provider(script={"Odd": ["no-image"]})
    page = viewer.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(viewer.submit_and_finish(a_case(f"legend-{scheme}", "Key", "Odd")))
    page.locator("#timeline summary").click()
    expect(page.locator(".legend li")).to_have_text(
        ["a picture was made", "failed", "waited for the image service", "progress was reported"]
    )
    paints = """selector => [...new Set([...document.querySelectorAll(selector)].map(rect => {
        const { fill, stroke } = getComputedStyle(rect);
        return `${fill} ${stroke}`;
    }))].sort()"""
    in_legend = page.evaluate(paints, ".legend rect")
    assert len(in_legend) == 4
    assert in_legend == page.evaluate(paints, ".row rect")


def test_skipping_to_the_pictures_keeps_the_token_in_the_address(viewer: Viewer) -> None:
    page = viewer.page
    link = viewer.submit_and_finish(a_case("skipped", "Key"))
    page.goto(link)
    expect(page.locator(".print img")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the pictures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#prints")).to_be_focused()
    assert page.url == link
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Enlarge Key")).to_be_focused()


def test_the_icon_is_part_of_the_page_and_no_request_fails(viewer: Viewer) -> None:
    page = viewer.page
    responses: list[tuple[int, str]] = []
    page.on("response", lambda response: responses.append((response.status, response.url)))
    page.goto(viewer.submit_and_finish(a_case("icon", "Key")))
    expect(page.locator(".print img")).to_have_count(1)
    icon = page.locator("link[rel=icon]").get_attribute("href") or ""
    size = page.evaluate(
        "async src => { const icon = new Image(); icon.src = src; await icon.decode(); return icon.width; }",
        icon,
    )
    assert size > 0
    assert [each for each in responses if each[0] >= 400 or "favicon" in each[1]] == []
