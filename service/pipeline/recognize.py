"""T_rec: one recognizer call for all segments of a cheque (section X-D)."""

from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from service.errors import ModelError
from service.pipeline.card import MODEL, ModelCard

LARGEST_ODDS = 14.0


class Recognizer(Protocol):
    """What the pipeline sees of a recognizer."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The K symbols of the outputs, the last one rubbish."""
        ...

    def penalties(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops u8 [N, 32, 32], ink 255 on 0 -> penalties -log P(label | crop), f32 [N, K]."""
        ...


class OnnxRecognizer:
    """A recognizer that runs an exported network with onnxruntime on one CPU thread."""

    def __init__(self, folder: Path, card: ModelCard) -> None:
        self._session = session_of(folder, card.network(MODEL))
        self.labels = card.labels
        outputs = self._session.get_outputs()[0].shape
        if outputs[-1] != len(card.labels):
            raise ModelError(f"the model in {folder} has {outputs[-1]} outputs, not as its card")

    def penalties(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Recognizer.penalties`; an empty batch is allowed."""
        if len(crops) == 0:
            return np.zeros((0, len(self.labels)), np.float32)
        (result,) = self._session.run(None, {"crops": crops})
        return np.asarray(result, np.float32)


def padded(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """An image, u8 [..., W], as a call has it: u8 [1, ..., W up to a multiple of step]."""
    width = image.shape[-1]
    wide = np.zeros((1, *image.shape[:-1], -(-width // step) * step), np.uint8)
    wide[0, ..., :width] = image
    return wide


def session_of(folder: Path, name: str) -> ort.InferenceSession:
    """A network of a model's folder, to be run on one CPU thread; raises ModelError."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # It would bring numbers to eight bits before their first pooling, which then takes ten times as
    # long.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        return ort.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises plain Exceptions of many kinds
        raise ModelError(f"{name} in {folder} does not load: {error}") from error


def against_rubbish(
    penalties: NDArray[np.float32], stray: NDArray[np.float32], symbol: float = 0.0
) -> NDArray[np.float32]:
    """Turn each segment's penalties into log odds against its being no character; f32 [N, K].

    A path explains the segments on it as characters and all others as rubbish, so the product of
    P(rubbish) over all segments is common to all paths and falls out: what is left on an arc is
    log P(rubbish) - log P(label). Paths of different segmentations, and of different fields, become
    comparable. symbol: added to every symbol. stray: f32 [N], penalty of leaving a segment on the
    path unread, as ink that belongs to no character.
    """
    odds = np.minimum(np.maximum(penalties - penalties[:, -1:], -LARGEST_ODDS), LARGEST_ODDS)
    odds += symbol
    odds[:, -1] = stray
    return np.asarray(odds, np.float32)
