"""Reads the courtesy amount of bank cheques, on the command line and over HTTP."""

import os

__version__ = "0.1.0"

# Before onnxruntime is loaded: its builds for Linux report to their maker unless told not to.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
