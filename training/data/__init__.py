"""Loaders and downloads of the training data."""
