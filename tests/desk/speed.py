"""Measures the desk: from a key press to the next cheque on the screen, with 1,000 waiting.

`make desk-speed` runs it. The cheques are put there as if they had been read before. Between two
of them the clerk looks for LOOK seconds.
"""

import argparse
import io
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from browsing import SAMPLES, service, signed_in
from desk_reader import UnsureReader

from service.desk.entrance import outcome_of
from service.desk.room import Room
from service.jobs.bodies import Folder
from service.jobs.store import NewBatch, NewItem, Store
from service.jobs.tables import batches, open_database, results, sqlite_url
from service.options import ReadingOptions
from service.settings import Settings

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


def _fill(folder: Path, count: int) -> None:
    """Put that many rejected cheques, samples by turns, into the desk of a service's folder."""
    images = []
    for name in ("us-personal-02.jpg", "uk-01.jpg", "us-personal-04.tif", "india-01.jpg"):
        buffer = io.BytesIO()
        Image.open(SAMPLES / name).convert("L").save(buffer, "JPEG", quality=70)
        images.append(buffer.getvalue())
    store = Store(open_database(sqlite_url(folder)))
    bodies = Folder(folder / "images", reserve=0)
    entrance = Room(Settings(data_dir=folder), store, bodies).entrance
    name, file = bodies.create()
    with file:
        for image in images:
            file.write(image)
        bodies.keep(name, file)
    sizes = [len(image) for image in images]
    places = [(sum(sizes[:n]), size) for n, size in enumerate(sizes)]
    reading = UnsureReader().read(images[0], reference="7", field_only=False)
    outcome = outcome_of(reading)
    with store.begin() as connection:
        new = NewBatch("speed", "anybody", ReadingOptions(), name, None, 20)
        items = [NewItem(None, "7", *places[n % len(places)]) for n in range(count)]
        batch, _ = store.accept(new, items, connection)
        connection.execute(batches.update().values(state="completed", ended=time.time()))
        entrance.open(connection, "speed", "default")
    with store.begin() as connection:
        row = {"batch": "speed", "state": "rejected", "reading": outcome.reading}
        rows = [{**row, "number": number, "finished": time.time()} for number in range(count)]
        connection.execute(results.insert(), rows)
        for number in range(count):
            entrance.record(connection, batch, number, outcome)
    store.engine.dispose()


def _key(page: Any, count: int) -> list[float]:
    page.locator("#work:not([hidden])").wait_for()
    time.sleep(2)
    page.evaluate(WATCH)
    for number in range(count):
        page.keyboard.press("as"[number % 2])
        time.sleep(LOOK)
    times: list[float] = page.evaluate("window.times")
    return sorted(times)


def main() -> None:
    """Measure, and print the percentiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=100)
    options = parser.parse_args()
    with service(shipped=False) as (client, folder):
        _fill(folder, options.waiting)
        with signed_in(client) as page:
            times = _key(page, options.keys)
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("largest", 1.0)):
        at = min(len(times) - 1, int(share * len(times)))
        sys.stdout.write(f"{name}: {times[at]:.1f} ms\n")
    sys.stdout.write(f"{len(times)} of {options.keys} keys, {options.waiting} cheques waiting\n")


if __name__ == "__main__":
    main()
