"""A recognizer that was exported, loaded to be trained on."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from training.export import load_exported

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"


def test_the_network_of_an_exported_model_says_what_the_file_says() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (16, 32, 32)).astype(np.uint8)
    session = ort.InferenceSession(str(MODEL / "model.onnx"))
    (penalties,) = session.run(None, {"crops": crops})
    with torch.no_grad():
        said = load_exported(MODEL)(torch.from_numpy(crops))
    np.testing.assert_allclose(-said.numpy(), penalties, atol=1e-3)
