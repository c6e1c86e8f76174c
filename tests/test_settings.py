"""Settings come from the environment, and unsafe ones are refused."""

import pytest

from service.errors import ConfigurationError
from service.settings import is_loopback, load_settings

KEY = "0123456789abcdef"


def test_the_defaults_serve_this_machine_alone() -> None:
    settings = load_settings()
    assert settings.host == "127.0.0.1"
    assert settings.port == 8080
    assert settings.asks_for_key
    assert settings.line == settings.readers
    assert settings.max_bytes == 10 * 1024 * 1024
    assert settings.readers >= 1
    assert settings.max_error == 0.01


def test_the_environment_is_read_and_arguments_come_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHEQUE_PORT", "9000")
    monkeypatch.setenv("CHEQUE_MAX_BYTES", "2048")
    monkeypatch.setenv("CHEQUE_HOST", "")
    settings = load_settings()
    assert (settings.port, settings.max_bytes, settings.host) == (9000, 2048, "127.0.0.1")
    assert settings.image_limits.max_bytes == 2048
    assert load_settings(port=0).port == 0


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CHEQUE_HOST": "0.0.0.0", "CHEQUE_AUTH": "off"}, "loopback"),
        ({"CHEQUE_HOST": "0.0.0.0", "CHEQUE_AUTH": "off", "CHEQUE_API_KEY": KEY}, "loopback"),
        ({"CHEQUE_TLS_KEY": "key.pem"}, "CHEQUE_TLS_CERT"),
        ({"CHEQUE_TLS_CLIENT_CA": "ca.pem"}, "CHEQUE_TLS_CERT"),
        ({"CHEQUE_PORT": "9000", "CHEQUE_METRICS_PORT": "9000"}, "another than CHEQUE_PORT"),
        ({"CHEQUE_RATE": "0"}, "CHEQUE_RATE"),
        ({"CHEQUE_API_KEY": "short"}, "16 characters"),
        ({"CHEQUE_AUTH": "none"}, "CHEQUE_AUTH"),
        ({"CHEQUE_PORT": "80 80"}, "CHEQUE_PORT"),
        ({"CHEQUE_READERS": "0"}, "CHEQUE_READERS"),
        ({"CHEQUE_MAX_ERROR": "0"}, "CHEQUE_MAX_ERROR"),
        ({"CHEQUE_MAX_ERROR": "1"}, "CHEQUE_MAX_ERROR"),
        ({"CHEQUE_MAX_BYTES": "20000000"}, "CHEQUE_MAX_BYTES"),
    ],
)
def test_what_is_wrong_or_unsafe_is_named_without_values(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert message in caught.value.message
    assert environment.get("CHEQUE_API_KEY", KEY) not in caught.value.message
    assert "\n" not in caught.value.message


def test_keys_are_asked_for_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings("0.0.0.0").asks_for_key
    monkeypatch.setenv("CHEQUE_API_KEY", KEY)
    settings = load_settings("0.0.0.0")
    assert settings.asks_for_key
    assert KEY not in repr(settings)
    monkeypatch.setenv("CHEQUE_AUTH", "off")
    assert not load_settings("127.0.0.1").asks_for_key


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
        ("localhost.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
