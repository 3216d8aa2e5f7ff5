"""The pages of `unikit size --html` and `unikit audit --html` in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import browser, images
from unikit.questions import audit, page, reach, subject
from unikit.questions.subject import Subject

WEB = Path(__file__).resolve().parents[2] / "examples/web"
BOXES = """[...document.querySelectorAll("#map .box")].map((b) => {
  const r = b.getBoundingClientRect(), m = document.getElementById("map").getBoundingClientRect();
  return [r.left - m.left, r.top - m.top, m.right - r.right, m.bottom - r.bottom, r.width, r.height, m.width, m.height];
})"""


@pytest.fixture(scope="module")
def web() -> Subject:
    found = subject.of_image(images.build(WEB), str(WEB))
    assert reach.overlay(found) is not None
    return found


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    with browser.start() as found:
        yield found


@pytest.fixture(scope="module")
def report(web: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.write(path, page.render(web))
    return path


@pytest.fixture(autouse=True)
def no_complaint(tab: browser.Page) -> Iterator[None]:
    """Whatever a test does: no error on the console, nothing from elsewhere."""
    tab.complaints.clear()
    tab.requests.clear()
    yield
    tab.value("1")  # what the page still has to say
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "about:"))] == []


def test_the_treemap_fills_its_frame_with_boxes(tab: browser.Page, report: Path) -> None:
    tab.open(browser.address(report))
    boxes = tab.value(BOXES)
    assert len(boxes) > 50
    for left, top, right, bottom, *_ in boxes:
        assert min(left, top, right, bottom) > -1.5
    outer = tab.value('document.querySelectorAll("#map > .box.outer").length')
    assert outer >= 4
    width, height = boxes[0][6:]
    # boxes in boxes count again, so all of them together cover more than the frame
    assert sum(box[4] * box[5] for box in boxes) > 0.9 * width * height
    names = tab.value('[...document.querySelectorAll("#map .t > span")].map((t) => t.textContent)')
    assert {"interpreter", "standard library", "kernel"} <= set(names)


def test_the_treemap_goes_in_and_out_by_keys(tab: browser.Page, report: Path) -> None:
    tab.open(browser.address(report))
    where = '[...document.querySelectorAll("#crumbs b")].at(-1).textContent'
    assert tab.value(where) == "image"
    tab.value('document.querySelector("#map .box").focus()')
    tab.press("Enter")
    assert tab.value(where) == "interpreter"
    rows = tab.value('document.querySelectorAll("#list tbody tr").length')
    assert rows > 3
    tab.press("Escape")
    assert tab.value(where) == "image"


def test_the_way_to_a_node_is_found_by_typing(tab: browser.Page, report: Path, web: Subject) -> None:
    tab.open(browser.address(report))
    tab.press("/", "virtio_net")
    assert tab.value("document.activeElement.id") == "search"
    tab.press("Enter")
    assert tab.value('document.getElementById("view-graph").hidden') is False
    steps = tab.value('[...document.querySelectorAll("#panel .steps .link")].map((s) => s.textContent)')
    assert steps[0] == "module:__main__" and steps[-2:] == ["module:_socket", "component:virtio/net"]
    lines = tab.value('[...document.querySelectorAll("#panel .steps code")].map((s) => s.textContent)')
    assert lines[0] == web.inventory.graph.edges["module:__main__", steps[1]]["edge"].evidence[0]
    assert tab.value('document.querySelectorAll("#wires path.way").length') >= 3
    assert tab.value('document.querySelectorAll(".dot.on").length') == len(steps)
    tab.press("Escape")
    assert tab.value('document.getElementById("panel").hidden') is True


def test_groups_open_and_show_their_members(tab: browser.Page, report: Path) -> None:
    tab.open(browser.address(report) + "#graph")
    assert tab.value('document.querySelectorAll(".band").length') == 6
    assert tab.value('document.querySelectorAll("#wires path").length') > 20
    chip = '[...document.querySelectorAll(".chip")].find((c) => c.textContent.startsWith("asyncio"))'
    tab.value(f"{chip}.focus()")
    tab.press("Enter")
    assert tab.value(f'{chip}.getAttribute("aria-expanded")') == "true"
    assert "asyncio.events" in tab.value('[...document.querySelectorAll(".dot")].map((d) => d.textContent)')


@pytest.mark.parametrize("view", ["sizes", "graph", "module:asyncio"])
def test_it_fits_a_phone_and_a_laptop_in_both_colours(tab: browser.Page, report: Path, view: str) -> None:
    colours = set()
    for width, dark in ((390, False), (390, True), (1280, False), (1280, True)):
        tab.open(f"{browser.address(report)}#{view}", width, 844, dark)
        assert tab.value("document.documentElement.scrollWidth") <= width
        colours.add(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_the_audit_is_a_page(tab: browser.Page, web: Subject, tmp_path: Path) -> None:
    found = audit.make(web)
    assert found.calls.reachable is not None and {"read", "mmap", "socket"} <= set(found.calls.reachable)
    assert set(found.calls.offered) >= {"read", "mmap", "socket"} and found.code > 1 << 20
    path = tmp_path / "audit.html"
    page.write(path, page.fill("audit", title="Audit", audit=found))
    for width in (390, 1280):
        tab.open(browser.address(path), width)
        assert tab.value("document.documentElement.scrollWidth") <= width
    files = tab.value('[...document.querySelectorAll("#code td code")].map((c) => c.textContent)')
    assert "/lib/x86_64-linux-gnu/libc.so.6" in files and len(files) == len(found.executables)
