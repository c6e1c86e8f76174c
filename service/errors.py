"""Everything the service raises on purpose, in one tree.

ChequeReaderError
 ├── InputError              the image can't be read, or was asked for wrongly
 │    └── ParameterError     what goes with it: currency, locale, max_error, ...
 ├── ModelError              the recognizer is missing, damaged or not the one its card describes
 ├── ConfigurationError      a setting is missing, malformed or unsafe
 ├── AccessError             a key can't be made or revoked as asked
 ├── KeysAwayError           where keys are kept can't be reached
 ├── AuditError              the audit log can't be written, or is not what was written
 ├── ConflictError           another call is doing the same at this moment
 │    └── LeaseError         an item of the desk is another's by now, or decided
 ├── StorageFullError        no room for what a batch needs; nothing of it was accepted
 ├── StorageUnavailableError the database or the bucket of the batches can't be reached
 ├── ReaderEndedError        the process that read an image has ended, or had to be ended
 ├── ReaderFailedError       the reader failed on an image, in a process of its own
 └── OverloadError           more work than is allowed at once; later it may go through

An illegible cheque is no error: it is a reading with a reject reason. Every error carries a code,
stable for programs, and a message for people; neither ever holds amounts, account data or image
bytes. What an error means in HTTP is decided in `service.api.problems` alone.
"""

import traceback
from pathlib import Path
from typing import Final

_FRAMES: Final = 12


class ChequeReaderError(Exception):
    """The root: `code` is snake_case and stable, `message` says what is wrong."""

    code: str = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(ChequeReaderError):
    """The input can't be read; sending the same again doesn't help.

    Codes of images: empty, unsupported_type, corrupt_image, truncated_image, unsupported_image,
    too_large_bytes, too_many_pixels, too_small.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str]]:
        return InputError, (self.code, self.message)


class ParameterError(InputError):
    """A parameter beside the image, named by `parameter`, is unknown or out of range."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__("invalid_parameter", message)
        self.parameter = parameter

    def __reduce__(self) -> tuple[type["ParameterError"], tuple[str, str]]:
        return ParameterError, (self.parameter, self.message)


class ModelError(ChequeReaderError):
    """The recognizer can't be used."""

    code = "model_unusable"


class ConfigurationError(ChequeReaderError):
    """The service can't start as it is configured."""

    code = "bad_configuration"


class AccessError(ChequeReaderError):
    """A key can't be made or revoked as asked."""

    code = "bad_key"


class KeysAwayError(ChequeReaderError):
    """Where keys are kept can't be reached, so that nobody is let in."""

    code = "keys_away"


class AuditError(ChequeReaderError):
    """The audit log can't be written, so that what was asked must not be done."""

    code = "unrecorded"


class ConflictError(ChequeReaderError):
    """Another call is doing the same at this moment, or did before this one could."""

    code = "conflict"


class LeaseError(ConflictError):
    """An item of the desk is another's by now, or decided."""

    code = "lease_lost"


class StorageFullError(ChequeReaderError):
    """The disk under the batches is full, or would be."""

    code = "storage_full"


class StorageUnavailableError(ChequeReaderError):
    """The database or the bucket of the batches can't be reached; later it may be."""

    code = "storage_unavailable"


class ReaderEndedError(ChequeReaderError):
    """The process that read an image has ended, or had to be ended.

    Codes: reader_crashed, reading_timeout, out_of_memory.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ReaderFailedError(ChequeReaderError):
    """The reader failed on an image, in a process of its own, which has logged where."""

    code = "internal_error"


class OverloadError(ChequeReaderError):
    """All readers are busy; `retry_after` is how many seconds to wait before the next attempt."""

    code = "overloaded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type["OverloadError"], tuple[str, int]]:
        return OverloadError, (self.message, self.retry_after)


def without_values(error: BaseException) -> str:
    """Where an exception came from and its type, without its message, which may hold an amount."""
    frames = "".join(traceback.format_tb(error.__traceback__, -_FRAMES))
    return f"{frames}{type(error).__qualname__}"


def origin(error: BaseException) -> str:
    """The type of an exception and the line it came from, in a few words."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__qualname__} at {Path(last.filename).name}:{last.lineno}"
