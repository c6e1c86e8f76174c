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
        description="Folder of the model: model.onnx and card.json",
    )
    host: str = Field(default="127.0.0.1", description="Address that `serve` listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="Port, 0 for any free one")
    auth: Literal["off", "key"] | None = Field(
        default=None,
        description="`key` asks every caller for CHEQUE_API_KEY; `off` asks for nothing, on "
        "loopback only; unset is `key` where a key is set, else `off`",
    )
    api_key: SecretStr | None = Field(
        default=None, description="The key callers send as `Authorization: Bearer <key>`"
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
    max_in_flight: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Readings being received, waiting or read at the same time; more get 429",
    )
    body_seconds: float = Field(
        default=20.0, gt=0, le=600, description="Time that a request's body may take to arrive"
    )
    data_dir: Path = Field(
        default=Path("cheque-data"),
        description="Folder of the batches: their images, and the database where no other is set",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Database of the batches, sqlite:///FILE or postgresql://...; unset is a "
        "SQLite file in CHEQUE_DATA_DIR",
    )
    batch_readers: int = Field(
        default_factory=_cpus,
        ge=0,
        le=256,
        description="Cheques of batches that one process reads at the same time; 0 leaves them to "
        "`cheque-reader worker`",
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
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What `serve` writes to standard error"
    )

    @property
    def image_limits(self) -> ImageLimits:
        """What an image may claim, for the pipeline."""
        return ImageLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    @property
    def asks_for_key(self) -> bool:
        """Whether callers of /v1 must send the key."""
        return self.auth == "key" or (self.auth is None and self.api_key is not None)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.api_key is not None and len(self.api_key.get_secret_value()) < 16:
            raise ValueError("CHEQUE_API_KEY must have at least 16 characters")
        if self.auth == "key" and self.api_key is None:
            raise ValueError("CHEQUE_AUTH=key needs CHEQUE_API_KEY")
        if not self.asks_for_key and not is_loopback(self.host):
            raise ValueError(
                "without authentication only a loopback address is served: set CHEQUE_API_KEY, "
                "or leave CHEQUE_HOST at 127.0.0.1"
            )
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
