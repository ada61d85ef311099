"""What reaches into PyTorch behind its public names: one file each.

Each file says what it does, why, and on which lines of which version it stands; its test fails when PyTorch no longer
needs it. Nowhere else in this package is a private name of PyTorch read.
"""
