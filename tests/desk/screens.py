"""Takes the pictures of the README from the samples: `make desk-pictures`."""

import io
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from browsing import ROOT, SAMPLES, read_batch, service, signed_in

from service.pipeline.container import ImageLimits
from service.pipeline.explain import draw_evidence
from service.pipeline.reader import ChequeReader
from service.settings import Settings

DOCS = ROOT / "docs"
COLOURS = 48
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}


def _keep(png: bytes, name: str) -> None:
    """Write a picture with few colours, which takes a third of the bytes."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    few = image.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(DOCS / name, optimize=True)


def _explained() -> None:
    data = (SAMPLES / "us-personal-01.png").read_bytes()
    evidence = ChequeReader(Settings().model_dir).read(data, evidence=True).evidence
    assert evidence is not None
    _keep(draw_evidence(evidence, data, ImageLimits()).to_png(), "explained.png")


def main() -> None:
    """Take them."""
    _explained()
    files = sorted(one for one in SAMPLES.iterdir() if one.suffix in TYPES)
    parts = [("image", (one.name, one.read_bytes())) for one in files]
    with service(shipped=True) as (client, _):
        read_batch(client, files=parts)
        with signed_in(client) as page:
            item = ""
            for file in files:
                shown = f"body[data-item]:not([data-item='{item}']) #work:not([hidden])"
                page.locator(shown).wait_for()
                item = page.evaluate("document.body.dataset.item")
                if file.name == "us-personal-01.png":
                    page.keyboard.type("1234")
                    page.wait_for_timeout(300)
                    _keep(page.screenshot(), "desk.png")
                    page.keyboard.press("Escape")
                page.keyboard.press("x" if "blank" in file.name else "a")
            page.get_by_text("Nothing waits", exact=True).wait_for()
            page.wait_for_timeout(4000)
            page.goto(f"{client.base_url}/desk/stats")
            page.get_by_text("Read rate").first.wait_for()
            page.wait_for_timeout(500)
            _keep(page.screenshot(), "dashboard.png")


if __name__ == "__main__":
    main()
