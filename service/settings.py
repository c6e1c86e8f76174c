"""Every deployment setting, read from the environment; nothing else in the service reads it."""

import ipaddress
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ConfigurationError
from service.pipeline.container import ImageLimits
from service.pipeline.decision import DEFAULT_MAX_ERROR
from service.pipeline.usability import UsabilityLimits

_PREFIX = "CHEQUE_"


def _cpus() -> int:
    """CPUs that this process may use, which in a container may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """Settings of one process, each from the variable CHEQUE_<NAME>, empty meaning unset."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    model_dir: Path = Field(
        default=Path(__file__).resolve().parent.parent / "models" / "amounts" / "1",
        description="Folder of the model: model.onnx, swept.onnx and card.json",
    )
    host: str = Field(default="127.0.0.1", description="Address that `serve` listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="Port, 0 for any free one")
    data_dir: Path = Field(
        default=Path("cheque-data"),
        description="Folder of the keys, the audit log, the batches and their images, and the "
        "database where no other is set",
    )
    auth: Literal["off", "key"] = Field(
        default="key",
        description="`key` asks every caller for a key; `off` asks for nothing, on loopback only",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="An admin key beside those that are kept; with it none is made at first start",
    )
    rate: float = Field(
        default=50.0, gt=0, le=100_000, description="Requests a second that each key may send"
    )
    rate_burst: int = Field(
        default=100, ge=1, le=100_000, description="Requests that a key may send at once"
    )
    tls_cert: Path | None = Field(
        default=None, description="Certificate chain (PEM); with it the service speaks TLS"
    )
    tls_key: Path | None = Field(
        default=None, description="Key of the certificate (PEM), if not in the same file"
    )
    tls_client_ca: Path | None = Field(
        default=None, description="Authorities (PEM) one of which must have signed every client"
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of /metrics, /livez and /readyz alone, without key and without TLS; "
        "unset leaves /metrics on the port of the service, for keys with the scope metrics",
    )
    metrics_host: str | None = Field(
        default=None, description="Address of that port; CHEQUE_HOST if unset"
    )
    max_bytes: int = Field(
        default=ImageLimits().max_bytes,
        ge=1024,
        le=10 * 1024 * 1024,
        description="Largest image, in bytes; the limit of 10 MB can only be lowered",
    )
    max_error: float = Field(
        default=DEFAULT_MAX_ERROR,
        gt=0,
        lt=1,
        description="Largest share of wrong among accepted amounts; a caller may state another",
    )
    max_pixels: int = Field(
        default=ImageLimits().max_pixels,
        ge=1_000_000,
        le=80_000_000,
        description="Largest image, width times height in pixels",
    )
    readers: int = Field(
        default_factory=_cpus,
        ge=1,
        le=256,
        description="Cheques read at the same time, one thread each; the number of CPUs if unset",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve, the readers and all other limits divided among them",
    )
    max_in_flight: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Readings being received, waiting or read at the same time; more get 429",
    )
    max_waiting: int | None = Field(
        default=None,
        ge=0,
        le=4096,
        description="Cheques waiting for a reader; more get 429. As many as readers if unset, "
        "which keeps the time to an answer within twice that of a reading",
    )
    request_seconds: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Time that a reading may take, from the image being here to the answer",
    )
    shutdown_seconds: int = Field(
        default=20,
        ge=0,
        le=3600,
        description="Time that requests in flight have to finish when the service is stopped",
    )
    body_seconds: float = Field(
        default=20.0, gt=0, le=600, description="Time that a request's body may take to arrive"
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Database of the batches, sqlite:///FILE or postgresql://...; unset is a "
        "SQLite file in CHEQUE_DATA_DIR",
    )
    images: str | None = Field(
        default=None,
        description="Where the images of batches are kept: a folder that all processes share, or "
        "s3://bucket/prefix; unset is a folder in CHEQUE_DATA_DIR",
    )
    images_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="URL of the bucket's server where it is not Amazon's; http sends cheques in "
        "the clear",
    )
    batch_readers: int = Field(
        default_factory=_cpus,
        ge=0,
        le=256,
        description="Cheques of batches that one process reads at the same time; 0 leaves them to "
        "`cheque-reader worker`",
    )
    reader_memory: int = Field(
        default=1536 * 1024**2,
        ge=256 * 1024**2,
        description="Bytes that a process which reads a batch's images may take; an image that "
        "needs more is given up",
    )
    batch_items: int = Field(
        default=10_000, ge=1, le=10_000, description="Most images in one batch"
    )
    batch_bytes: int = Field(
        default=2 * 1024**3,
        ge=1024,
        le=2 * 1024**3,
        description="Largest body of a batch, and of what its archive holds",
    )
    batch_seconds: float = Field(
        default=600.0, gt=0, le=7200, description="Time that a batch's body may take to arrive"
    )
    batch_uploads: int = Field(
        default=4, ge=1, le=64, description="Batches received at the same time; more get 429"
    )
    retention_hours: float = Field(
        default=24.0,
        gt=0,
        le=24 * 366,
        description="Age at which a batch and its results are purged",
    )
    disk_reserve: int = Field(
        default=256 * 1024**2,
        ge=0,
        description="Bytes that batches leave free on the disk, for the results",
    )
    webhook_hosts: str = Field(
        default="",
        description="Hosts that webhooks may be sent to, with commas between; none without it",
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Key that webhooks are signed with; 16 characters or more"
    )
    usability_margin: float = Field(
        default=UsabilityLimits().margin,
        gt=0,
        le=1,
        description="Share of a side of a cash letter's image that may be without print, from an "
        "edge inward, before the image counts as partial",
    )
    usability_skew: float = Field(
        default=UsabilityLimits().skew, gt=0, le=45, description="Degrees that it may be askew"
    )
    usability_ink: tuple[float, float] = Field(
        default=UsabilityLimits().ink,
        description="Least and largest share of dark pixels, as [0.008, 0.35]",
    )
    usability_width: tuple[float, float] = Field(
        default=UsabilityLimits().width, description="Least and largest width in inches"
    )
    usability_height: tuple[float, float] = Field(
        default=UsabilityLimits().height, description="Least and largest height in inches"
    )
    usability_dpi: float = Field(
        default=UsabilityLimits().dpi, gt=0, description="Least dots per inch"
    )
    usability_streaks: float = Field(
        default=UsabilityLimits().streaks,
        ge=0,
        le=1,
        description="Share of rows or columns that may be dark from edge to edge",
    )
    usability_confidence: float = Field(
        default=UsabilityLimits().confidence,
        ge=0,
        le=1,
        description="Least probability of an amount that is not called illegible",
    )
    desk: Literal["on", "off"] = Field(
        default="on", description="The review desk at /desk; `off` lets nothing enter it"
    )
    desk_audit_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of accepted items at the desk that clerks see, unannounced",
    )
    desk_keyings: int = Field(
        default=1, ge=1, le=2, description="Clerks who must agree; of three the third decides"
    )
    desk_lease_seconds: float = Field(
        default=90.0,
        ge=5,
        le=3600,
        description="Time after which an item returns to the queue whose clerk is not heard of",
    )
    desk_undo_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="Time in which a decision can be undone; it is passed on afterwards",
    )
    desk_hours: float = Field(
        default=72.0,
        gt=0,
        le=24 * 366,
        description="Longest that an ended batch is kept while clerks have not seen all of it",
    )
    desk_sample_days: float = Field(
        default=30.0,
        ge=0,
        le=3660,
        description="Time that keyed cheques are kept to calibrate and train on; 0 keeps none",
    )
    desk_history_days: float = Field(
        default=400.0, ge=1, le=3660, description="Time that the dashboard looks back"
    )
    desk_session_hours: float = Field(
        default=12.0, gt=0, le=168, description="Longest that a clerk stays signed in"
    )
    desk_idle_minutes: float = Field(
        default=30.0, ge=1, le=1440, description="Time without a cheque after which a clerk is out"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What `serve` writes to standard error"
    )
    log_format: Literal["json", "text"] | None = Field(
        default=None, description="Unset is text on a terminal, else a JSON object a line"
    )

    traces: Literal["off", "on"] = Field(
        default="off",
        description="`on` sends OpenTelemetry traces where OTEL_EXPORTER_OTLP_ENDPOINT says",
    )

    @property
    def image_limits(self) -> ImageLimits:
        """What an image may claim, for the pipeline."""
        return ImageLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    @property
    def usability_limits(self) -> UsabilityLimits:
        """Beyond what an image of a cash letter has a defect."""
        return UsabilityLimits(
            margin=self.usability_margin,
            skew=self.usability_skew,
            ink=self.usability_ink,
            width=self.usability_width,
            height=self.usability_height,
            dpi=self.usability_dpi,
            streaks=self.usability_streaks,
            confidence=self.usability_confidence,
        )

    @property
    def asks_for_key(self) -> bool:
        """Whether callers of /v1 must send a key."""
        return self.auth == "key"

    @property
    def line(self) -> int:
        """Cheques that may wait for a reader."""
        return self.readers if self.max_waiting is None else self.max_waiting

    def of_one_key(self, places: int) -> int:
        """How many of some places one key may hold, so that none of them can shut out the others.

        Where nobody is asked for a key, all of them are one caller's.
        """
        return max(1, places * 3 // 4) if self.asks_for_key else places

    @property
    def keys_file(self) -> Path:
        """The file of the keys."""
        return self.data_dir / "keys.sqlite3"

    @property
    def audit_file(self) -> Path:
        """The audit log."""
        return self.data_dir / "audit.jsonl"

    @property
    def rates_dir(self) -> Path:
        """Folder of what the rate limit remembers."""
        return self.data_dir / "rates"

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.api_key is not None and len(self.api_key.get_secret_value()) < 16:
            raise ValueError("CHEQUE_API_KEY must have at least 16 characters")
        if not self.asks_for_key and not is_loopback(self.host):
            raise ValueError(
                "CHEQUE_AUTH=off is for a loopback address alone: leave CHEQUE_HOST at 127.0.0.1, "
                "or CHEQUE_AUTH at key"
            )
        if self.tls_cert is None and (self.tls_key or self.tls_client_ca):
            raise ValueError("CHEQUE_TLS_KEY and CHEQUE_TLS_CLIENT_CA need CHEQUE_TLS_CERT")
        if self.processes > self.readers:
            raise ValueError("CHEQUE_PROCESSES must be at most CHEQUE_READERS")
        if self.metrics_port and self.metrics_port == self.port:
            raise ValueError("CHEQUE_METRICS_PORT must be another than CHEQUE_PORT")
        return self


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is reached from this machine alone.

    Names other than localhost are not resolved: what they mean may change.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_metrics_in(folder: str) -> None:
    """Have processes that are started from now on keep their metrics in files in a folder.

    prometheus_client takes this from the environment alone.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def load_settings(host: str | None = None, port: int | None = None) -> Settings:
    """Settings from the environment, host and port from the caller where given.

    Raises ConfigurationError that names the variables at fault, never their values.
    """
    given: dict[str, Any] = {"host": host, "port": port}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_explain, error.errors()))) from None


def _explain(error: ErrorDetails) -> str:
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    return f"{_PREFIX}{str(error['loc'][0]).upper()}: {error['msg']}"
