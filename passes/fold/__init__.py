"""Exact folds: batch norms and scales into the layers before them, affine regions into one convolution."""
