"""Converted networks on a GPU."""
