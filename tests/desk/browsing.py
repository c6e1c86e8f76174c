"""A service in a process of its own and a clerk's browser on it, for what is run by hand."""

import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))
from desk_reader import UnsureReader

from service.api import create_app, serve
from service.desk.members import Members
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url
from service.pipeline.reader import ChequeReader
from service.settings import Settings
from service.sockets import listen

PASSWORD = "correct horse battery"
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
_PATIENCE = 1200.0


def _serve(folder: str, port: int, shipped: bool) -> None:
    settings = Settings(
        data_dir=Path(folder), auth="off", batch_readers=1, readers=1, desk_audit_share=1
    )
    reader = ChequeReader(settings.model_dir) if shipped else UnsureReader()
    serve(create_app(settings, reader), settings, listen("127.0.0.1", port))


@contextmanager
def service(*, shipped: bool) -> Iterator[tuple[httpx.Client, Path]]:
    """A ready service with the clerk anna, and its folder.

    shipped: its reader is the shipped one, else a stand-in.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(folder, port, shipped)
        )
        process.start()
        try:
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=600, trust_env=False) as client:
                _await_ready(client)
                store = Store(open_database(sqlite_url(Path(folder))))
                members = Members(store, hours=1, idle=60)
                members.add("anna", PASSWORD, ["default"], lead=True)
                store.engine.dispose()
                yield client, Path(folder)
        finally:
            process.terminate()
            process.join(30)


def _await_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the service never got ready")


def read_batch(client: httpx.Client, **request: Any) -> str:
    """Submit a batch and wait until it is read; its path."""
    answer = client.post("/v1/batches", **request).raise_for_status()
    location = str(answer.headers["location"])
    deadline = time.monotonic() + _PATIENCE
    while client.get(location).json()["state"] == "running":
        if time.monotonic() > deadline:
            raise TimeoutError("the batch was not read")
        time.sleep(0.5)
    return location


@contextmanager
def signed_in(client: httpx.Client) -> Iterator[Any]:
    """A page of a headless Chromium where anna is signed in at the desk."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="en-US")
        page.set_default_timeout(120_000)
        page.goto(f"{client.base_url}/desk")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        yield page
        browser.close()
