"""Serves the page of the review desk: files of the package, which load nothing from elsewhere."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends, Response

from service.api.desk_access import room_of
from service.api.problems import RefusalError

_FOLDER: Final = Path(__file__).resolve().parent.parent / "desk" / "page"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_FILES: Final = {
    path.name: (path.read_bytes(), _TYPES[path.suffix])
    for path in sorted(_FOLDER.iterdir())
    if path.suffix in _TYPES
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
NO_PAGE: Final = "There is no such page."

router = APIRouter(prefix="/desk", include_in_schema=False, dependencies=[Depends(room_of)])


@router.get("")
def desk_page() -> Response:
    """The page where clerks work."""
    return _file("desk.html")


@router.get("/stats")
def stats_page() -> Response:
    """The dashboard."""
    return _file("stats.html")


@router.get("/static/{name}")
def static_file(name: str) -> Response:
    """What the pages load."""
    if name.endswith(".html"):
        raise RefusalError("not_found", NO_PAGE)
    return _file(name)


def _file(name: str) -> Response:
    if name not in _FILES:
        raise RefusalError("not_found", NO_PAGE)
    content, kind = _FILES[name]
    return Response(content, media_type=kind, headers=_HEADERS)
