"""Measures the desk: from a key press to the next cheque on the screen, with 1,000 waiting.

`make desk-speed` runs it. The service is a process of its own; its reader is a stand-in, for all
is read before the clerk begins. Between two cheques the clerk looks for LOOK seconds.
"""

import argparse
import io
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "api"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from desk_reader import UnsureReader
from PIL import Image

from service.api import create_app, listen, serve
from service.desk.members import Members
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url
from service.settings import Settings

PASSWORD = "correct horse battery"
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LOOK = 0.3
# The time from the key's event to the end of the task after the frame that shows the next item.
WATCH = """() => {
  window.times = [];
  let pressed = null;
  document.addEventListener("keydown", event => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (pressed === null) return;
    const start = pressed;
    pressed = null;
    requestAnimationFrame(() => setTimeout(() => window.times.push(performance.now() - start)));
  }).observe(document.body, { attributeFilter: ["data-item"] });
}"""


def _serve(folder: str, port: int) -> None:
    settings = Settings(data_dir=Path(folder), auth="off", batch_readers=1, readers=1)
    serve(create_app(settings, UnsureReader()), settings, listen("127.0.0.1", port))


def _archive(count: int) -> bytes:
    """That many cheques, samples by turns, as a ZIP archive."""
    images = []
    for name in ("us-personal-02.jpg", "uk-01.jpg", "us-personal-04.tif", "india-01.jpg"):
        page = Image.open(SAMPLES / name).convert("L")
        buffer = io.BytesIO()
        page.save(buffer, "JPEG", quality=70)
        images.append(buffer.getvalue())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.jpg", images[number % len(images)])
    return packed.getvalue()


def _prepare(service: httpx.Client, count: int) -> None:
    deadline = time.monotonic() + 1200
    while True:
        try:
            if service.get("/readyz").status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    answer = service.post(
        "/v1/batches",
        params={"reference": "7"},
        content=_archive(count),
        headers={"Content-Type": "application/zip"},
    )
    location = answer.raise_for_status().headers["location"]
    while service.get(location).json()["state"] == "running":
        assert time.monotonic() < deadline, "the batch was not read"
        time.sleep(0.5)


def _key(page: Any, count: int) -> list[float]:
    page.locator("#work:not([hidden])").wait_for()
    time.sleep(2)
    page.evaluate(WATCH)
    for number in range(count):
        page.keyboard.press("as"[number % 2])
        time.sleep(LOOK)
    times: list[float] = page.evaluate("window.times")
    return times


def main() -> None:
    """Measure, and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(folder, port))
        server.start()
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=600, trust_env=False) as service:
                _prepare(service, options.waiting)
            store = Store(open_database(sqlite_url(Path(folder))))
            Members(store, hours=1, idle=60).add("anna", PASSWORD, ["default"])
            store.engine.dispose()
            with sync_playwright() as driver:
                root = os.geteuid() == 0
                browser = driver.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"] if root else []
                )
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.set_default_timeout(120_000)
                page.goto(f"{url}/desk")
                page.get_by_label("Name").fill("anna")
                page.get_by_label("Password").fill(PASSWORD)
                page.keyboard.press("Enter")
                times = sorted(_key(page, options.keys))
                browser.close()
        finally:
            server.terminate()
            server.join(30)
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("largest", 1.0)):
        at = min(len(times) - 1, int(share * len(times)))
        sys.stdout.write(f"{name}: {times[at]:.1f} ms\n")
    sys.stdout.write(f"{len(times)} of {options.keys} keys, {options.waiting} cheques waiting\n")


if __name__ == "__main__":
    main()
