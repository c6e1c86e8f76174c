"""Measures the desk: from a key press to the next cheque on the screen, with 1,000 waiting.

`make desk-speed` runs it. The service's reader is a stand-in, for all is read before the clerk
begins. Between two cheques the clerk looks for LOOK seconds.
"""

import argparse
import io
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from browsing import SAMPLES, read_batch, service, signed_in

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
    with service(shipped=False) as client:
        read_batch(
            client,
            params={"reference": "7"},
            content=_archive(options.waiting),
            headers={"Content-Type": "application/zip"},
        )
        with signed_in(client) as page:
            times = _key(page, options.keys)
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("largest", 1.0)):
        at = min(len(times) - 1, int(share * len(times)))
        sys.stdout.write(f"{name}: {times[at]:.1f} ms\n")
    sys.stdout.write(f"{len(times)} of {options.keys} keys, {options.waiting} cheques waiting\n")


if __name__ == "__main__":
    main()
