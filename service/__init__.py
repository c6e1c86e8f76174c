"""Reads the courtesy amount of bank cheques, on the command line and over HTTP."""

__version__ = "0.1.0"
