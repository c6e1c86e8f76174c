"""Checkpoints that an interrupted training goes on from."""

from pathlib import Path
from typing import Any, Protocol

import torch


class Stateful(Protocol):
    """A network, an optimizer: what has a state to keep."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Take a state over."""
        ...


def save(path: Path | None, step: int, **parts: Stateful) -> None:
    """Write the number of steps done and the state of each part, all or nothing; None: nowhere."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"step": step, **{name: one.state_dict() for name, one in parts.items()}}, part)
    part.replace(path)


def resume(path: Path | None, **parts: Stateful) -> int:
    """Bring the parts to the state that was saved; returns the steps done, 0 without a file."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, one in parts.items():
        one.load_state_dict(state[name])
    return int(state["step"])
