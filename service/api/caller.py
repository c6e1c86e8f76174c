"""What routes ask about a call: the settings it meets, whose it is, whether it is well-formed."""

from fastapi import Request

from service.access.keys import Key
from service.errors import ParameterError
from service.settings import Settings


def settings_of(request: Request) -> Settings:
    """The settings of the service."""
    settings = request.app.state.settings
    assert isinstance(settings, Settings)
    return settings


def refuse_closed_desk(settings: Settings, wanted: bool | None) -> None:
    """Raise ParameterError where a desk is asked for that this service has not."""
    if wanted and settings.desk == "off":
        raise ParameterError("desk", "this service has no review desk")


def owner_of(request: Request) -> str:
    """Whose the call is: batches and Idempotency-Keys are its caller's alone."""
    key = request.state.key
    assert isinstance(key, Key)
    return key.id


def refuse_repeated(request: Request) -> None:
    """Raise ParameterError where a query parameter is given more than once."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise ParameterError(name, f"{name} is given more than once")
