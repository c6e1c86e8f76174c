"""Puts the parts of batches together for one process."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from service.desk.room import Room
from service.errors import ConfigurationError
from service.jobs import calls
from service.jobs.bodies import Bodies, Folder
from service.jobs.intake import IntakeLimits
from service.jobs.isolated import IsolatedReader
from service.jobs.process import ProcessName
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url
from service.jobs.upkeep import Upkeep
from service.jobs.webhook import Webhooks
from service.jobs.work import Work, Worker
from service.options import Reader
from service.pipeline.card import load_card
from service.pipeline.reader import ChequeReader
from service.settings import Settings

logger = logging.getLogger(__name__)

_LARGEST_CHUNK: Final = 20
_CHUNKS: Final = 32


def chunk_of(items: int) -> int:
    """Items in a chunk of a batch of so many, few enough that all readers get some of it."""
    return max(1, min(_LARGEST_CHUNK, items // _CHUNKS))


class Jobs:
    """The store of batches, and the workers of this process once they are started."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError where the folder or the database can't be used."""
        self._settings = settings
        folder = settings.data_dir.absolute()
        self.bodies = bodies_of(settings)
        self._url = database_of(settings)
        self.store = Store(open_database(self._url))
        self.room = Room(settings, self.store, self.bodies)
        self.process = ProcessName(folder)
        calls.free(self.store, self.process.name)
        secret = settings.webhook_secret
        self.webhooks = Webhooks(
            frozenset(host.strip() for host in settings.webhook_hosts.split(",") if host.strip()),
            secret.get_secret_value() if secret else None,
        )
        self.limits = IntakeLimits(
            items=settings.batch_items,
            image_bytes=settings.max_bytes,
            bytes=settings.batch_bytes,
        )
        self._worker: Worker | None = None
        self._upkeep: Upkeep | None = None

    def start(self, reader: Reader, before_each: Callable[[], None] = lambda: None) -> None:
        """Start reading batches in this process; before_each: called before every cheque."""
        settings = self._settings
        name = self.process.name
        entrance = self.room.entrance
        work = Work(self.store, self.bodies, reader, self.webhooks, entrance, before_each)
        self._worker = Worker(
            work, database_url=self._url, executor=name, readers=settings.batch_readers
        )
        self._upkeep = Upkeep(
            self._worker,
            self.store,
            self.bodies,
            name,
            self.room,
            retention=settings.retention_hours * 3600,
            orphan=orphan_of(settings),
        )
        self.room.start()
        self._upkeep.beat()
        self._worker.start()
        self._upkeep.start()
        logger.info("batches are read by worker %s", name)

    def accepted(self) -> None:
        """Have the workers of this process look for an accepted batch at once."""
        if self._upkeep is not None:
            self._upkeep.wake()

    def close(self) -> None:
        """Let what is being read finish; what waits stays for the next start."""
        if self._worker is not None and self._upkeep is not None:
            self._worker.stop_reading()
            self._upkeep.stop()
            self._worker.stop()
        self.room.close()
        self.store.engine.dispose()
        self.process.release()


def database_of(settings: Settings) -> str:
    """The URL of the database: the one that is set, or a SQLite file."""
    given = settings.database_url
    return given.get_secret_value() if given else sqlite_url(settings.data_dir.absolute())


def orphan_of(settings: Settings) -> float:
    """Seconds after which no batch can claim a file that none has claimed."""
    return 2 * settings.batch_seconds + 600


def bodies_of(settings: Settings) -> Bodies:
    """What keeps images, as CHEQUE_IMAGES says; raises ConfigurationError."""
    folder, reserve = settings.data_dir.absolute(), settings.disk_reserve
    if settings.images is None:
        return Folder(folder / "images", reserve=reserve)
    if "://" not in settings.images:
        return Folder(Path(settings.images).absolute(), reserve=reserve, setting="CHEQUE_IMAGES")
    # Only who uses a bucket pays for loading its client.
    from service.jobs.bucket import Bucket

    spool = Folder(folder / "spool", reserve=reserve)
    return Bucket(
        settings.images, spool, endpoint=settings.images_endpoint, orphan=orphan_of(settings)
    )


def isolated(settings: Settings) -> IsolatedReader:
    """A reader for batches, in as many processes as read at the same time.

    Raises ModelError where the model's card can't be used.
    """
    load = partial(
        ChequeReader,
        settings.model_dir,
        settings.image_limits,
        settings.max_error,
        settings.usability_limits,
    )
    return IsolatedReader(
        load,
        model_version=load_card(settings.model_dir).model_version,
        processes=max(1, settings.batch_readers),
        seconds=settings.request_seconds,
        memory=settings.reader_memory,
    )


def need_workers(settings: Settings) -> None:
    """Raise ConfigurationError where a worker would have nothing to read with."""
    if settings.batch_readers == 0:
        raise ConfigurationError("CHEQUE_BATCH_READERS must be at least 1 for a worker")
