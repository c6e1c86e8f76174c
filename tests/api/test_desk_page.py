"""The review desk in a real browser: Debian's chromium, driven by Playwright."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "desk"))
from desk_reader import UnsureReader

from service.desk.members import Members
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

PASSWORD = "correct horse battery"
PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with playwright.sync_playwright() as driver:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        made = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if root else []
        )
        yield made
        made.close()


@pytest.fixture
def desk(start: Callable[..., httpx.Client], tmp_path: Path) -> Callable[..., httpx.Client]:
    """Start a service with the clerks anna and ben: desk(reader, **settings)."""

    def started(reader: Any = None, **settings: Any) -> httpx.Client:
        service = start(reader or UnsureReader(), batch_readers=2, **settings)
        store = Store(open_database(sqlite_url(tmp_path / "data")))
        members = Members(store, hours=1, idle=60)
        for name in ("anna", "ben"):
            members.add(name, PASSWORD, ["default"], lead=name == "anna")
        store.engine.dispose()
        return service

    return started


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """A page of a browser of its own, signed in at the desk: visit(service, name)."""
    contexts: list[Any] = []
    noise: list[str] = []

    def visited(service: httpx.Client, name: str = "anna", password: str = PASSWORD) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: noise.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.goto(f"{service.base_url}/desk")
        page.get_by_label("Name").wait_for()
        # A browser says of every answer that is no success that it is an error.
        noise[:] = [one for one in noise if "401" not in one]
        page.keyboard.type(name)
        page.keyboard.press("Tab")
        page.keyboard.type(password)
        page.keyboard.press("Enter")
        return page

    visited.noise = noise  # type: ignore[attr-defined]
    yield visited
    for context in contexts:
        context.close()


def _submit(service: httpx.Client, cheque: bytes, numbers: range) -> str:
    parts: list[Any] = []
    for number in numbers:
        parts.append(("reference", (None, str(number))))
        parts.append(("image", (f"{number}.png", cheque)))
    answer = service.post("/v1/batches", files=parts)
    assert answer.status_code == 202
    location = str(answer.headers["location"])
    deadline = time.monotonic() + 60
    while service.get(location).json()["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return location


def _shown(page: Any, previous: str = "") -> str:
    """The item on the screen, once it is another than before."""
    page.locator(f"body[data-item]:not([data-item='{previous}'])").wait_for()
    return str(page.evaluate("document.body.dataset.item"))


def _saved(page: Any, count: int) -> None:
    page.get_by_text(f"{count} keyed", exact=True).wait_for()


@pytest.fixture
def keying(desk: Callable[..., httpx.Client], visit: Callable[..., Any], cheque: bytes) -> Any:
    """A page that shows a clerk the one cheque that waits."""
    service = desk()
    _submit(service, cheque, range(1, 2))
    page = visit(service)
    _shown(page)
    return page


def test_a_batch_is_completed_by_keyboard_alone(
    desk: Callable[..., httpx.Client], visit: Callable[..., Any], cheque: bytes
) -> None:
    service = desk()
    location = _submit(service, cheque, range(1, 9))
    assert service.get(location).json()["desk"] == {"waiting": 8, "decided": 0}
    page = visit(service)
    number = _shown(page)
    assert page.evaluate("document.activeElement.id") == "amount"
    # The first by its best guess, the second by another one, the third typed, the fourth mistyped,
    # undone and keyed again; the others in every other way.
    page.keyboard.press("Enter")
    number = _shown(page, number)
    page.keyboard.press("s")
    number = _shown(page, number)
    page.keyboard.type("123456")
    assert page.locator("#shown").inner_text() == "$1,234.56"
    page.keyboard.press("Enter")
    number = _shown(page, number)
    fourth = number
    page.keyboard.type("99")
    page.keyboard.press("Enter")
    _shown(page, number)
    page.keyboard.press("u")
    page.locator(f"body[data-item='{fourth}']").wait_for()
    page.keyboard.type("4.5")
    page.keyboard.press("Enter")
    number = _shown(page, fourth)
    for key in ("w", "x", "i"):
        page.keyboard.press(key)
        number = _shown(page, number)
    page.keyboard.press("n")
    _saved(page, 7)
    # What was skipped comes again, once nothing else waits.
    page.locator("#work:not([hidden])").wait_for()
    page.keyboard.press("a")
    page.get_by_text("Nothing waits", exact=True).wait_for()
    _saved(page, 8)
    assert service.get(location).json()["desk"] == {"waiting": 0, "decided": 8}
    items = service.get(f"{location}/items").json()["items"]
    said = [(one["decision"]["kind"], one["decision"]["amount_minor"]) for one in items]
    assert said == [
        ("amount", 100),
        ("amount", 900200),
        ("amount", 123456),
        ("amount", 450),
        ("words_differ", None),
        ("not_a_cheque", None),
        ("illegible", None),
        ("amount", 800),
    ]
    assert {one["state"] for one in items} == {"rejected"}
    assert all(one["decision"]["clerks"] == ["anna"] for one in items)
    assert visit.noise == []  # type: ignore[attr-defined]


def test_two_browsers_never_hold_one_item(
    desk: Callable[..., httpx.Client], visit: Callable[..., Any], cheque: bytes
) -> None:
    """Two clerks, and one of them twice, key all of a batch; each item is keyed once."""
    service = desk()
    location = _submit(service, cheque, range(1, 25))
    pages = [visit(service, name) for name in ("anna", "ben", "anna")]
    seen: list[str] = []
    items = [_shown(page) for page in pages]
    assert len(set(items)) == 3
    for _ in range(8):
        seen += items
        for page in pages:
            page.keyboard.press("Enter")
        items = [
            page.evaluate(
                """before => new Promise(done => {
                    const look = () => {
                        const now = document.body.dataset.item;
                        if (document.querySelector('#work').hidden) done('');
                        else if (now !== before) done(now);
                        else setTimeout(look, 5);
                    };
                    look();
                })""",
                item,
            )
            for page, item in zip(pages, items, strict=True)
        ]
        items = [item or f"none {n}" for n, item in enumerate(items)]
    shown = [item for item in seen if not item.startswith("none")]
    assert len(shown) == len(set(shown))
    # What a page has leased ahead may come to its screen after the others have nothing left.
    deadline = time.monotonic() + 120
    while service.get(location).json()["desk"]["waiting"]:
        assert time.monotonic() < deadline
        for page in pages:
            if page.locator("#work").is_visible():
                page.keyboard.press("Enter")
        time.sleep(0.05)
    decisions = [one["decision"] for one in service.get(f"{location}/items").json()["items"]]
    assert [one["amount_minor"] for one in decisions] == [100 * n for n in range(1, 25)]
    assert visit.noise == []  # type: ignore[attr-defined]


def test_what_a_closed_laptop_held_comes_back(
    desk: Callable[..., httpx.Client], visit: Callable[..., Any], cheque: bytes
) -> None:
    service = desk(desk_lease_seconds=5)
    _submit(service, cheque, range(1, 3))
    away = visit(service, "anna")
    held = _shown(away)
    away.context.set_offline(True)
    other = visit(service, "ben")
    other.get_by_text("Nothing waits", exact=True).wait_for()
    assert _shown(other) == held
    assert "2 waiting" in other.locator("#waiting").inner_text()


def test_a_wrong_password_is_refused(
    desk: Callable[..., httpx.Client], visit: Callable[..., Any]
) -> None:
    service = desk()
    page = visit(service, "anna", "wrong horse battery")
    page.get_by_role("alert").get_by_text("Name or password is wrong").wait_for()
    assert not page.locator("#work").is_visible()
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("theme", ["work", "sign-in", "done", "stats"])
def test_axe_finds_nothing_serious(
    desk: Callable[..., httpx.Client], visit: Callable[..., Any], cheque: bytes, theme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    service = desk()
    if theme in ("work", "stats"):
        _submit(service, cheque, range(1, 4))
    page = visit(service, "anna", "wrong password" if theme == "sign-in" else PASSWORD)
    if theme == "work":
        _shown(page)
        page.keyboard.press("?")
    elif theme == "stats":
        _shown(page)
        page.goto(f"{service.base_url}/desk/stats")
        page.get_by_text("Read rate").first.wait_for()
    elif theme == "done":
        page.get_by_text("Nothing waits", exact=True).wait_for()
    else:
        page.get_by_role("alert").get_by_text("wrong").wait_for()
    found = axe.Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []


def test_nothing_is_left_of_a_cheque_that_was_not_drawn_ahead(keying: Any) -> None:
    drawn = keying.evaluate("""async () => {
        const { prepare, show } = await import("/desk/static/pictures.js");
        const canvases = ["180px", "140px"].map((high) => {
            const canvas = document.createElement("canvas");
            canvas.style.cssText = `position: fixed; width: 240px; height: ${high}`;
            document.body.append(canvas);
            return canvas;
        });
        const item = (colour, [width, height]) => {
            const paper = new OffscreenCanvas(width, height);
            const pen = paper.getContext("2d");
            pen.fillStyle = colour;
            pen.fillRect(0, 0, width, height);
            const corners = [[0, 0], [width, 0], [width, height], [0, height]];
            return { bitmap: paper.transferToImageBitmap(), corners, whole: true };
        };
        const direct = item("#ff0000", [900, 600]);
        const ahead = item("#00ff00", [300, 60]);
        prepare(ahead, ...canvases);
        show(direct, ...canvases);
        show(ahead, ...canvases);
        return canvases.map((canvas) => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const found = { red: 0, green: 0 };
            for (let i = 0; i < data.length; i += 4) {
                found.red += data[i] > 200 && data[i + 1] < 100;
                found.green += data[i + 1] > 200 && data[i] < 100;
            }
            return { ...found, share: found.green / (width * height) };
        });
    }""")
    for one, high in zip(drawn, (180, 140), strict=True):
        assert one["red"] == 0
        # As wide as the canvas, a fifth as high as wide.
        assert one["share"] == pytest.approx(240 / 5 / high, rel=0.1)


def test_everything_fits_the_screen(keying: Any) -> None:
    wide, high = keying.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= 1280
    assert high <= 720
