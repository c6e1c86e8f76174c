"""Images in a bucket of a real S3 server (moto's), in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from direct import accept, ended
from killing import kill_and_count
from served import SlowReader

from service.errors import ConfigurationError, StorageUnavailableError
from service.jobs.bodies import Folder
from service.jobs.bucket import Bucket
from service.jobs.runtime import Jobs
from service.jobs.upkeep import purge
from service.settings import Settings

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}
_SERVER = Path(__file__).parents[2] / "build" / "s3"
pytestmark = pytest.mark.skipif(
    not (_SERVER / ".ready").exists(), reason="no S3 server: make s3-server installs one"
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of a server with the bucket `cheques`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [_SERVER / "bin" / "python", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                made = httpx.put(f"{url}/cheques", timeout=20, trust_env=False)
                assert made.status_code == 200
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the S3 server does not come up"
                time.sleep(0.1)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in CREDENTIALS.items():
                patch.setenv(name, value)
            yield url
    finally:
        server.terminate()
        server.wait(20)


def _bucket(endpoint: str, folder: Path, url: str = "s3://cheques/some/where") -> Bucket:
    return Bucket(url, Folder(folder / "spool", reserve=0), endpoint=endpoint, orphan=60)


def test_a_file_is_kept_read_in_parts_and_removed(endpoint: str, tmp_path: Path) -> None:
    bucket = _bucket(endpoint, tmp_path)
    name, file = bucket.create()
    parts = [bytes([number]) * (1 << 20) for number in range(20)]  # an upload of three parts
    for part in parts:
        file.write(part)
    bucket.keep(name, file)
    file.close()
    assert not list((tmp_path / "spool").iterdir())
    other = _bucket(endpoint, tmp_path / "elsewhere")
    assert other.read(name, (3 << 20) - 1, 2) == b"\x02\x03"
    assert other.read(name, 0, 0) == b""
    assert other.read(name, (20 << 20) - 1, 2) is None
    assert other.read(name, 20 << 20, 2) is None
    assert other.read("0" * 32, 0, 2) is None
    assert other.older_than(3600) == []
    assert other.older_than(-3600) == [name]
    other.remove(name)
    other.remove(name)
    assert bucket.older_than(-3600) == []
    assert bucket.read(name, 0, 1) is None


def test_what_cannot_be_used_is_said_at_the_start(
    endpoint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigurationError):
        _bucket(endpoint, tmp_path, "s3://no-such-bucket")
    assert "NoSuchBucket" in caplog.text
    for url in ("s3://", "gs://cheques/a", "s3://a/b?c"):
        settings = Settings.model_validate({"data_dir": tmp_path, "images": url})
        with pytest.raises(ConfigurationError) as caught:
            Jobs(settings)
        assert "CHEQUE_IMAGES" in caught.value.message


def test_a_bucket_that_is_gone_is_waited_for(endpoint: str, tmp_path: Path) -> None:
    bucket = _bucket(endpoint, tmp_path)
    bucket._endpoint = "http://127.0.0.1:9"
    bucket._store = bucket._connect({"max_retries": 0})
    with pytest.raises(StorageUnavailableError):
        bucket.read("0" * 32, 0, 1)
    name, file = bucket.create()
    file.write(b"x")
    with pytest.raises(StorageUnavailableError):
        bucket.keep(name, file)
    file.close()
    assert (tmp_path / "spool" / name).exists()


def test_what_a_killed_upload_leaves_in_the_spool_is_removed(endpoint: str, tmp_path: Path) -> None:
    spool = Folder(tmp_path / "spool", reserve=0)
    _, file = spool.create()
    file.close()
    _bucket(endpoint, tmp_path)
    assert list((tmp_path / "spool").iterdir())
    Bucket("s3://cheques", spool, endpoint=endpoint, orphan=-1)
    assert not list((tmp_path / "spool").iterdir())


def test_a_batch_is_read_from_a_bucket_and_purged_from_it(endpoint: str, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "images": "s3://cheques/batches",
            "images_endpoint": endpoint,
            "batch_readers": 2,
        }
    )
    jobs = Jobs(settings)
    jobs.start(SlowReader(0.0))
    try:
        batch, items = ended(jobs, accept(jobs, [str(number) for number in range(12)]))
        amounts = [item.reading and item.reading["amount_minor"] for item in items]
        assert amounts == list(range(12))
        assert jobs.bodies.older_than(-3600) == [batch.body]
        purge(jobs.store, jobs.bodies, batch)
        assert jobs.bodies.older_than(-3600) == []
    finally:
        jobs.close()


def test_killed_services_lose_and_double_nothing_in_a_bucket(endpoint: str, tmp_path: Path) -> None:
    kill_and_count(
        tmp_path / "data",
        kills=2,
        batches=2,
        items=20,
        seed=3,
        images={"images": "s3://cheques/kills", "images_endpoint": endpoint},
        environment=CREDENTIALS,
    )
