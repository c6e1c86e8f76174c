"""Synthetic amounts, fields and cheques with complete truth."""
