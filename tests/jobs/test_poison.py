"""Images that end the process which reads them are given up; the others are read."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from direct import accept, ended, picture
from poison import MEGABYTE, PoisonReader

from service.errors import InputError, ModelError, ReaderEndedError, ReaderFailedError
from service.jobs.isolated import IsolatedReader
from service.jobs.runtime import Jobs
from service.jobs.store import Item
from service.settings import Settings

_processes = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module")
def reader() -> Iterator[IsolatedReader]:
    """A process that images can end."""
    with IsolatedReader(
        PoisonReader, model_version="slow/1", processes=1, seconds=300.0, memory=320 * MEGABYTE
    ) as made:
        yield made


def _settings(folder: Path) -> Settings:
    return Settings.model_validate({"data_dir": folder, "auth": "off", "batch_readers": 2})


@pytest.mark.parametrize(
    ("reference", "code", "message"),
    [
        ("crash", "reader_crashed", "SIGSEGV"),
        ("kill", "reader_crashed", "SIGKILL"),
        ("starve", "out_of_memory", "more than 320 MB"),
    ],
)
def test_an_image_ends_no_more_than_the_process_that_reads_it(
    reader: IsolatedReader, reference: str, code: str, message: str
) -> None:
    with pytest.raises(ReaderEndedError) as caught:
        reader.read(picture(), field_only=True, reference=reference)
    assert caught.value.code == code
    assert message in caught.value.message
    assert reader.read(picture(), field_only=True, reference="12").amount_minor == 12


def test_an_image_that_hangs_its_process_is_left_with_it() -> None:
    slow = IsolatedReader(
        PoisonReader, model_version="slow/1", processes=1, seconds=0.5, memory=1024 * MEGABYTE
    )
    with slow, pytest.raises(ReaderEndedError) as caught:
        slow.read(picture(), field_only=True, reference="hang")
    assert caught.value.code == "reading_timeout"
    assert caught.value.message == "reading the image took more than 0.5 seconds"


def test_errors_come_back_without_values(
    reader: IsolatedReader, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError) as refused:
        reader.read(b"no image", field_only=True, reference="1")
    assert refused.value.code == "unsupported_type"
    with pytest.raises(ReaderFailedError) as failed:
        reader.read(picture(), field_only=True, reference="fail")
    assert "KeyError at poison.py" in failed.value.message
    assert "1,234.56" not in caplog.text + failed.value.message


def test_a_process_that_somebody_ends_is_nothing_against_the_image(
    reader: IsolatedReader,
) -> None:
    def end_all() -> None:
        time.sleep(0.5)
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGTERM)

    thread = threading.Thread(target=end_all)
    reader.read(picture(), field_only=True, reference="1")
    thread.start()
    assert reader.read(picture(), field_only=True, reference="slow").amount_minor == 7
    thread.join()


def _no_reader() -> PoisonReader:
    raise SystemExit(3)


def test_a_reader_that_does_not_come_up_is_no_fault_of_an_image() -> None:
    broken = IsolatedReader(_no_reader, model_version="", processes=1, seconds=1, memory=1 << 30)
    with broken, pytest.raises(ModelError):
        broken.read(picture(), field_only=True, reference="1")


def test_poison_is_given_up_and_the_rest_of_its_chunk_is_read(
    reader: IsolatedReader, tmp_path: Path
) -> None:
    references = ["0", "crash", "2", "fail", "4"]
    jobs = Jobs(_settings(tmp_path))
    jobs.start(reader)
    try:
        batch, items = ended(jobs, accept(jobs, references))
    finally:
        jobs.close()
    assert batch.state == "completed"
    assert [item.reading and item.reading["amount_minor"] for item in items] == [
        0, None, 2, None, 4
    ]  # fmt: skip
    errors = [item.error for item in items if item.error]
    assert [code for code, _ in errors] == ["reader_crashed", "internal_error"]
    assert errors[0][1] == "reading the image ended the reader (SIGSEGV), 3 times"


def _read_in_this_process(folder: Path, seconds: float) -> None:
    jobs = Jobs(_settings(folder))
    jobs.start(PoisonReader(seconds))
    while jobs.store.running():
        time.sleep(0.05)
    jobs.close()


def _read_until_given_up(folder: Path, references: list[str], seconds: float) -> list[Item]:
    """The items of a batch that kills its worker, each time; it is started again until all is read.

    seconds: what the others take to be read.
    """
    jobs = Jobs(_settings(folder))
    id = accept(jobs, references)
    ends = []
    for _ in range(12):
        worker = _processes.Process(target=_read_in_this_process, args=(folder, seconds))
        worker.start()
        worker.join(120)
        ends.append(worker.exitcode)
        if worker.exitcode == 0:
            break
    assert set(ends[:-1]) == {-signal.SIGKILL}
    assert ends[-1] == 0
    batch, items = ended(jobs, id)
    jobs.close()
    assert batch.state == "completed"
    return items


def test_what_takes_the_whole_worker_with_it_is_given_up_too(tmp_path: Path) -> None:
    references = [str(number) for number in range(40)]
    references[3] = "kill"
    items = _read_until_given_up(tmp_path, references, 0.01)
    assert [item.number for item in items if item.error] == [3]
    assert items[3].error is not None
    assert items[3].error[0] == "reader_crashed"
    assert sum(item.state == "accepted" for item in items) == 39


def test_what_is_read_beside_the_cause_is_not_given_up(tmp_path: Path) -> None:
    """Two chunks of one item each begin together, and only one of them lives to be written."""
    items = _read_until_given_up(tmp_path, ["0", "kill slowly"], 0.5)
    assert [item.state for item in items] == ["accepted", "failed"]
