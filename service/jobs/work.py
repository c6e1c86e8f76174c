"""Reads batches: one durable workflow a chunk of items, on DBOS.

The commit that accepts a batch is all that accepting is. A worker puts the batch's chunks on the
queue afterwards, under ids that follow from the batch, so that doing it twice does nothing. A
workflow reads what of its chunk has no result yet and writes results every half a second, each time
in a commit of its own; killed and run again, it goes on after the last that was written.

An image that ends the process that reads it is given up after a few attempts. Where that process is
one of its own (`isolated`) its end is the image's doing, and is known at once. Where everything
went down, a chunk that is run again notes what it is about to read, reads what it has begun the
least often first, writes each result at once, and gives up what was begun too often: it may have
been the cause. What was begun before is read while its process reads nothing else, so that no item
is noted beside the cause again and again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service import metrics, tracing
from service.desk.entrance import Entrance, outcome_of
from service.desk.news import decided
from service.errors import (
    InputError,
    ModelError,
    ReaderEndedError,
    ReaderFailedError,
    StorageFullError,
    StorageUnavailableError,
    origin,
    without_values,
)
from service.jobs import letters
from service.jobs.bodies import Bodies
from service.jobs.store import Batch, Item, Outcome, Store
from service.jobs.webhook import News, Webhooks, message
from service.options import Reader, ReadingOptions, read_cheque
from service.pipeline.reader import Reading
from service.x9.evidence import back_options, document, item_options

logger = logging.getLogger(__name__)

QUEUE: Final = "cheques"
WEBHOOKS: Final = "webhooks"
# Raised only when the workflows' arguments change: work of another version is left alone.
_VERSION: Final = "1"
_POLL_SECONDS: Final = 0.2
_WEBHOOK_POLL_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = (1.0, 30.0)
# A commit takes milliseconds however little it writes, and the database is locked meanwhile.
_RECORD_SECONDS: Final = 0.5
# Items that are loaded before a reader is waited for, and then read by it: threads change less.
_READ_AT_ONCE: Final = 10
_BYTES_AT_ONCE: Final = 1 << 20
_START_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 0.0)
# Of a process that reads alone; and of a whole worker, which may also have been killed by chance.
_ATTEMPTS: Final = 3
_BEGINNINGS: Final = 5
_STOP_SECONDS: Final = 20.0
_OPEN: Final = ["ENQUEUED", "PENDING", "DELAYED"]
_CONNECTIONS: Final = 5
# Chunks that a process holds for each reader: what is read between two polls, and is loaded ahead.
_CHUNKS_HELD: Final = 3
_FORGOTTEN_AT_ONCE: Final = 1000
# What passes, and is no fault of an item.
_PASSING: Final = (
    SQLAlchemyError, StorageFullError, StorageUnavailableError, ModelError, OSError,
)  # fmt: skip


class StoppedError(BaseException):
    """Leaves a workflow without an outcome, so that it is run again; DBOS records Exceptions."""


@dataclass(frozen=True, slots=True)
class Work:
    """What workflows need: where batches are, what reads them, who is told of their end, and what
    goes to the desk.

    before_each is called before every item that is read; it may wait.
    """

    store: Store
    bodies: Bodies
    reader: Reader
    webhooks: Webhooks
    entrance: Entrance
    before_each: Callable[[], None] = lambda: None


class Worker:
    """Runs the workflows of one process. DBOS allows one worker at a time in a process."""

    def __init__(self, work: Work, *, database_url: str, executor: str, readers: int) -> None:
        """executor: the name under which this process finds its own work again."""
        self._work = work
        self._readers = readers
        self._free = threading.BoundedSemaphore(readers)
        self._gathering = threading.Lock()
        self._stopping = threading.Event()
        self._executor = executor
        self._config: DBOSConfig = {
            "name": "cheque-reader",
            "system_database_url": database_url,
            "application_version": _VERSION,
            "executor_id": executor,
            "log_level": "WARNING",
            # Chunks wait for a free reader in threads, so that none is idle between two polls.
            "max_executor_threads": _CHUNKS_HELD * readers + 8,
            "sys_db_pool_size": _CONNECTIONS,
        }
        self._reading = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Take up what was left behind, and go on with what waits.

        Raises StorageUnavailableError where the database is away, for longer than a moment.
        """
        for pause in _START_SECONDS:
            try:
                return self._launch()
            except SQLAlchemyError as error:
                logger.error("the work can't be taken up (%s)", type(error).__name__)
                DBOS.destroy(destroy_registry=True)
                time.sleep(pause)
        raise StorageUnavailableError("the database can't be reached")

    def _launch(self) -> None:
        DBOS(config=self._config)

        @DBOS.workflow(name="read_chunk", max_recovery_attempts=None)
        def read_chunk(batch: str, first: int, count: int) -> None:
            with _bland():
                self._read_chunk(batch, first, count)

        @DBOS.workflow(name="tell", max_recovery_attempts=None)
        def tell(batch: str, attempt: int) -> None:
            with _bland():
                self._tell(batch, attempt, message, self._enqueue_attempt)

        @DBOS.workflow(name="tell_decided", max_recovery_attempts=None)
        def tell_decided(batch: str, attempt: int) -> None:
            with _bland():
                self._tell(batch, attempt, decided, self._enqueue_decided)

        self._tell_decided_workflow: Callable[[str, int], None] = tell_decided
        self._read_workflow: Callable[[str, int, int], None] = read_chunk
        self._tell_workflow: Callable[[str, int], None] = tell
        DBOS.listen_queues([QUEUE, WEBHOOKS])
        DBOS.launch()
        for name, most, poll in (
            (QUEUE, _CHUNKS_HELD * self._readers, _POLL_SECONDS),
            (WEBHOOKS, 4, _WEBHOOK_POLL_SECONDS),
        ):
            DBOS.register_queue(
                name,
                worker_concurrency=most,
                polling_interval_sec=poll,
                on_conflict="always_update",
            )

    def stop_reading(self) -> None:
        """Let the items that are being read finish, and begin no others."""
        self._stopping.set()
        with self._idle:
            self._idle.wait_for(lambda: self._reading == 0, timeout=_STOP_SECONDS)

    def stop(self) -> None:
        """End; what is not read stays for the next start, or for another worker."""
        self.stop_reading()
        DBOS.destroy(destroy_registry=True)

    def enqueue(self, batch: Batch, generation: int) -> bool:
        """Put a batch's chunks on the queue, those with something to read; whether all are."""
        for first in self._work.store.chunks_waiting(batch):
            if self._stopping.is_set():
                return False
            with SetWorkflowID(f"{batch.id}.{first}.{generation}"):
                DBOS.enqueue_workflow(QUEUE, self._read_workflow, batch.id, first, batch.chunk)
        self._work.store.complete(batch.id)
        return True

    def enqueue_webhook(self, batch: Batch) -> None:
        """Put the news of a batch's end on its queue."""
        self._enqueue_attempt(batch.id, 0, None)

    def enqueue_decisions(self, id: str) -> None:
        """Put the news that all of a batch is decided on the same queue."""
        self._enqueue_decided(id, 0, None)

    def _enqueue_attempt(self, id: str, attempt: int, delay: float | None) -> None:
        with SetWorkflowID(f"{id}.told.{attempt}"), SetEnqueueOptions(delay_seconds=delay):
            DBOS.enqueue_workflow(WEBHOOKS, self._tell_workflow, id, attempt)

    def _enqueue_decided(self, id: str, attempt: int, delay: float | None) -> None:
        with SetWorkflowID(f"{id}.decided.{attempt}"), SetEnqueueOptions(delay_seconds=delay):
            DBOS.enqueue_workflow(WEBHOOKS, self._tell_decided_workflow, id, attempt)

    def is_open(self, batch: Batch) -> bool:
        """Whether any workflow of a batch's chunks waits or runs, on any worker."""
        return bool(
            DBOS.list_workflows(
                workflow_id_prefix=f"{batch.id}.",
                name="read_chunk",
                status=_OPEN,
                limit=1,
                load_input=False,
                load_output=False,
            )
        )

    def forget(self, before: float) -> None:
        """Remove ended workflows that were made before a moment, in seconds since 1970."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(before))
        while ended := DBOS.list_workflows(
            end_time=moment,
            status=["SUCCESS", "ERROR", "CANCELLED"],
            limit=_FORGOTTEN_AT_ONCE,
            load_input=False,
            load_output=False,
        ):
            DBOS.delete_workflows([workflow.workflow_id for workflow in ended])

    def executors(self) -> set[str]:
        """Names of the processes, dead or alive, that have taken work."""
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        return {workflow.executor_id for workflow in pending if workflow.executor_id}

    def take_over(self, executors: list[str]) -> None:
        """Put the work of processes that are gone back on the queue."""
        # DBOS leaves this to its hosted conductor and offers it under this name alone.
        DBOS._recover_pending_workflows(executors)

    def _read_chunk(self, id: str, first: int, count: int) -> None:
        """Read what a chunk has left to read."""
        batch = self._persist(lambda: self._work.store.batch(id))
        if batch is None or batch.state != "running":
            return
        again = self._persist(lambda: self._work.store.begin_chunk(id, first))
        stated = self._persist(lambda: letters.stated_items(self._work.store, id, first, count))
        most = 1 if again else _READ_AT_ONCE
        waiting = self._persist(lambda: self._work.store.waiting(id, first, count))
        done: dict[int, Outcome] = {}
        written = time.monotonic()
        try:
            for loaded in self._loaded(batch, waiting, most):
                # Others load and record meanwhile, so that no reader waits for a disk.
                with self._turn(alone=any(item.begun for item, _ in loaded)):
                    for item, data in loaded:
                        about = stated.get(item.number)
                        done[item.number] = self._read_item(batch, item, about, data, again)
                    # A noted item is in danger until its result is written.
                    if again and not self._record(batch, done):
                        return
                if time.monotonic() - written >= _RECORD_SECONDS:
                    if not self._record(batch, done):
                        return
                    written = time.monotonic()
        finally:
            # Also where the worker stops: what was read need not be read again.
            goes_on = self._record(batch, done)
        if goes_on:
            self._persist(lambda: self._work.store.complete(id))

    @contextmanager
    def _turn(self, *, alone: bool) -> Iterator[None]:
        """A turn at a reader; alone: while no other item of this process is read."""
        turns = self._readers if alone else 1
        # One at a time gathers turns, or two would wait for each other's.
        with ExitStack() as held:
            with self._gathering:
                for _ in range(turns):
                    held.enter_context(self._free)
            yield

    def _tell(
        self,
        id: str,
        attempt: int,
        news: News,
        again: Callable[[str, int, float | None], None],
    ) -> None:
        """Send a webhook once; what is not received is a workflow of its own, later."""
        webhooks = self._work.webhooks
        if self._persist(lambda: webhooks.attempt(self._work.store, id, news)):
            return
        if attempt < len(webhooks.pauses):
            again(id, attempt + 1, webhooks.pauses[attempt])
        else:
            metrics.WEBHOOKS.labels("given_up").inc()
            logger.error("a webhook was not received in %d attempts", attempt + 1)

    def _loaded(
        self, batch: Batch, waiting: Sequence[Item], most: int
    ) -> Iterator[list[tuple[Item, bytes | None]]]:
        """Items with their images, at most so many together, fewer where they are large."""
        loaded: list[tuple[Item, bytes | None]] = []
        size = 0
        for item in waiting:
            load = partial(self._work.bodies.read, batch.body, item.start, item.size)
            loaded.append((item, self._persist(load)))
            size += item.size
            if len(loaded) == most or size > _BYTES_AT_ONCE:
                yield loaded
                loaded, size = [], 0
        if loaded:
            yield loaded

    def _read_item(
        self,
        batch: Batch,
        item: Item,
        stated: letters.StatedItem | None,
        data: bytes | None,
        again: bool,
    ) -> Outcome:
        """Read one item, which counts as being read until its result is recorded."""
        self._work.before_each()
        self._enter()
        try:
            if again and item.begun < _BEGINNINGS:
                self._persist(lambda: self._work.store.begin_item(batch.id, item.number))
            about: dict[str, tracing.Value] = {
                "cheque.batch": batch.id,
                "cheque.item": item.number,
            }
            with tracing.span("item", about) as made:
                outcome = self._outcome(batch, item, stated, data)
                made.set_attribute("cheque.state", outcome.state)
            return outcome
        except BaseException:
            self._leave(1)
            raise

    def _enter(self) -> None:
        with self._idle:
            if self._stopping.is_set():
                raise StoppedError
            self._reading += 1

    def _leave(self, items: int) -> None:
        with self._idle:
            self._reading -= items
            self._idle.notify_all()

    def _record(self, batch: Batch, done: dict[int, Outcome]) -> bool:
        """Write the results of some items and let go of them; False where the batch has ended."""
        if not done:
            return True
        entrance, store = self._work.entrance, self._work.store

        def beside(connection: Connection, number: int) -> None:
            entrance.record(connection, batch, number, done[number])

        try:
            new = self._persist(lambda: store.record(batch.id, done, beside))
            for number in new:
                metrics.count_item(done[number].state)
                reading = done[number].reading
                if reading is not None:
                    entrance.count(batch.owner, reading, field_only=batch.options.field_only)
            if len(new) == len(done):
                return True
            now = self._persist(lambda: store.batch(batch.id))
            return now is not None and now.state == "running"
        finally:
            self._leave(len(done))
            done.clear()

    def _outcome(
        self, batch: Batch, item: Item, stated: letters.StatedItem | None, data: bytes | None
    ) -> Outcome:
        options = replace(
            batch.options,
            reference=item.reference,
            evidence=self._persist(lambda: self._work.entrance.wants_evidence(batch, item.number)),
        )
        if stated is not None:
            options = item_options(options, stated.amount_minor)
        if data is None:
            return _failed("image_lost", "the image is no longer stored")
        if item.begun >= _BEGINNINGS:
            logger.error("an item of batch %s is given up: workers end while it is read", batch.id)
            return _failed("reader_crashed", f"workers ended {item.begun} times while it was read")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                reading = self._persist(lambda: read_cheque(self._work.reader, data, options))
            except InputError as refused:
                return _failed(refused.code, refused.message)
            except ReaderEndedError as ended:
                metrics.READERS_ENDED.labels(ended.code).inc()
                logger.error("batch %s, item %d: %s", batch.id, item.number, ended.message)
                if attempt == _ATTEMPTS:
                    return _failed(ended.code, f"{ended.message}, {attempt} times")
            except ReaderFailedError as failed:
                return _failed(failed.code, failed.message)
            except Exception as bug:  # noqa: BLE001 - the other items still have to be read
                logger.error("an item of a batch failed:\n%s", without_values(bug))
                return _failed("internal_error", f"the reader failed with {origin(bug)}")
            else:
                break
        metrics.count_reading(reading)
        outcome = outcome_of(reading)
        if stated is None:
            return outcome
        back = partial(self._back, batch, stated, back_options(options))
        return replace(outcome, reading=document(reading, stated.numbers, back))

    def _back(
        self, batch: Batch, stated: letters.StatedItem, options: ReadingOptions
    ) -> Reading | None:
        """The back of an item of a cash letter, read."""
        if stated.back is None:
            return None
        data = self._work.bodies.read(batch.body, *stated.back)
        return None if data is None else read_cheque(self._work.reader, data, options)

    def _persist(self, act: Callable[[], Any]) -> Any:
        """What `act` returns, however long what it needs is full or away."""
        pause, longest = _RETRY_SECONDS
        while True:
            try:
                return act()
            except _PASSING as error:
                logger.error("a batch has to wait (%s), trying again", type(error).__name__)
            if self._stopping.wait(pause):
                raise StoppedError
            pause = min(2 * pause, longest)


def _failed(code: str, message: str) -> Outcome:
    return Outcome("failed", None, (code, message))


@contextmanager
def _bland() -> Iterator[None]:
    """Keep what an exception says out of the workflow's record, which may outlive the batch."""
    try:
        yield
    except Exception as bug:  # noqa: BLE001 - DBOS records whatever it is
        logger.error("a workflow failed:\n%s", without_values(bug))
        raise RuntimeError(f"failed with {origin(bug)}") from None
