"""Writes what a reading rests on to a file: as a picture, as a page, or as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Final

from service.errors import InputError
from service.pipeline.container import ImageLimits
from service.pipeline.evidence import Evidence
from service.pipeline.explain import draw_evidence

_Form = Callable[[Evidence, bytes, ImageLimits], bytes]


def form_of(to: Path) -> str:
    """The suffix of a file that evidence can be written to; raises InputError for any other."""
    suffix = to.suffix.lower()
    if suffix not in _FORMS:
        raise InputError("unknown_form", f"{to} must end in {', '.join(_FORMS)}")
    return suffix


def write(evidence: Evidence, data: bytes, limits: ImageLimits, to: Path) -> None:
    """Write the evidence of an image in the form that the file's name asks for.

    Raises InputError where the name asks for none, or the file can't be written.
    """
    content = _FORMS[form_of(to)](evidence, data, limits)
    try:
        to.write_bytes(content)
    except OSError as error:
        raise InputError("not_written", f"{to} can't be written: {error.strerror}") from None


def _png(evidence: Evidence, data: bytes, limits: ImageLimits) -> bytes:
    return draw_evidence(evidence, data, limits).to_png()


def _svg(evidence: Evidence, data: bytes, limits: ImageLimits) -> bytes:
    return draw_evidence(evidence, data, limits).to_svg().encode()


def _json(evidence: Evidence, _: bytes, __: ImageLimits) -> bytes:
    return (json.dumps(asdict(evidence), indent=1, ensure_ascii=False) + "\n").encode()


def _html(evidence: Evidence, data: bytes, limits: ImageLimits) -> bytes:
    picture = draw_evidence(evidence, data, limits)
    rows = "".join(
        f"<tr><td>{step.src} to {step.dst}</td><td>{escape(step.symbol) or 'stray'}</td><td>"
        + (f'<img alt="" src="data:image/png;base64,{step.crop}">' if step.crop else "")
        + f"</td><td>{step.segmentation:.4f}</td><td>{step.recognition:.4f}</td><td>"
        + ", ".join(f"{escape(o.symbol) or 'stray'} {o.penalty:.2f}" for o in step.others)
        + "</td></tr>"
        for step in evidence.path or ()
    )
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(picture.title)}</title>
<style>
body {{ font: 14px sans-serif; margin: 24px; color: #1b1f24 }}
svg {{ max-width: 100%; height: auto }}
table {{ border-collapse: collapse }}
td, th {{ border-bottom: 1px solid #c4cad0; padding: 4px 12px; text-align: left }}
pre {{ overflow: auto; background: #f4f5f7; padding: 12px }}
</style>
{picture.to_svg()}
<h2>The winning path</h2>
<table><tr><th>Cuts</th><th>Read as</th><th>Seen</th><th>Segmentation</th><th>Recognition</th>
<th>Next likely</th></tr>{rows}</table>
<h2>Evidence</h2>
<p>Digest {evidence.digest} of an image with the SHA-256 {evidence.image_sha256}.</p>
<pre>{escape(_json(evidence, data, limits).decode())}</pre>
</html>
"""
    return page.encode()


_FORMS: Final[dict[str, _Form]] = {".png": _png, ".html": _html, ".svg": _svg, ".json": _json}
