"""Comparisons against what users would do otherwise; each is a program: ``python -m benchmarks.folding``."""
