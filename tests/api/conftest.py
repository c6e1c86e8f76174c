"""A real server on a free port for every test that asks for one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api import create_app
from service.api.server import make_server
from service.options import Reader
from service.settings import Settings
from service.sockets import listen


@contextmanager
def _running(reader: Reader, *, wait: bool, settings: Settings) -> Iterator[httpx.Client]:
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    operations = None if settings.metrics_port is None else listen("127.0.0.1", 0)
    server = make_server(create_app(settings, reader), settings, operations)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            if operations is not None:
                client.headers["X-Operations-Port"] = str(operations.getsockname()[1])
            deadline = time.monotonic() + 20
            while wait and client.get("/readyz").status_code != 200:
                assert time.monotonic() < deadline, "the server never got ready"
                time.sleep(0.005)
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., httpx.Client]]:
    """Start a server: start(reader, wait=True, **settings) -> a client of it."""
    with ExitStack() as stack:

        def started(reader: Reader, *, wait: bool = True, **settings: Any) -> httpx.Client:
            settings = {
                "readers": 2,
                "auth": "off",
                "batch_readers": 0,
                "data_dir": tmp_path / "data",
                **settings,
            }
            return stack.enter_context(_running(reader, wait=wait, settings=Settings(**settings)))

        yield started


@pytest.fixture(scope="session")
def client(
    shared_reader: Reader, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a ready server, with the usual settings, that tests share."""
    settings = Settings(
        readers=2,
        auth="off",
        max_waiting=30,  # tests share it, so that some of them may come at once
        batch_readers=0,
        data_dir=tmp_path_factory.mktemp("data"),
    )
    with _running(shared_reader, wait=True, settings=settings) as client:
        yield client
