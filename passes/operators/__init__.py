"""What the eager kernels of all statistics share, and the operators that bring windows back to pixels.

Importing this package registers the latter with torch: an eager kernel, the reference an exported file is checked
against, and a fake kernel, which gives its shape for symbolic sizes. A statistic's own are in ``passes.statistics``.
"""

from passes.operators import grid_spread, nearest, replicate, replicated_product, spread_product

__all__ = ["grid_spread", "nearest", "replicate", "replicated_product", "spread_product"]
