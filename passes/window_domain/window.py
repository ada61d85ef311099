"""Window sizes: how large a neighbourhood a statistic of a feature map is taken over.

    window = feature_size(train_size) * base_size // train_size          per axis, at least 1

``base_size`` is the window in pixels of the image, by default 1.5 times the training crop; a feature map at
a quarter of the resolution gets a quarter of it (Improving Image Restoration by Revisiting Global
Information Aggregation, ECCV 2022, section 3.2 and its public code).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from passes.sizes import ImageSize
from passes.window_domain.descent.digits import WHOLE, Interval


@dataclass(frozen=True)
class Training:
    """What the network was trained on: crop height and width, and the window they imply, in image pixels.

    Attributes:
        nodes_per_window: None for exact statistics; else means, variances and norms are taken at every
            ``window // nodes_per_window``-th window only and interpolated between.
    """

    train_size: tuple[int, int]
    base_size: tuple[int, int]
    nodes_per_window: int | None = None

    @classmethod
    def on_crops(
        cls,
        train_size: tuple[int, int],
        base_ratio: float = 1.5,
        multiple: int = 1,
        nodes_per_window: int | None = None,
    ) -> Training:
        """Crops of ``train_size``, rounded up to ``multiple`` as the network itself would have seen them."""
        height, width = (-(-size // multiple) * multiple for size in train_size)
        return cls((height, width), (int(base_ratio * height), int(base_ratio * width)), nodes_per_window)


@dataclass(frozen=True)
class FeatureMap:
    """A grid of features and the window its statistics are taken over.

    Attributes:
        height, width: extents as expressions in the image size.
        part: what of the image's height and width it covers, each as (first, last) of 1; a half is a map of its own.
        feature_size: the extents at the training size, in elements.
        window: height and width of the window, in elements; at run time clipped to the map.
    """

    height: sympy.Expr
    width: sympy.Expr
    feature_size: tuple[int, int]
    window: tuple[int, int]
    part: tuple[Interval, Interval] = (WHOLE, WHOLE)

    @classmethod
    def of(
        cls,
        height: sympy.Expr,
        width: sympy.Expr,
        image: ImageSize,
        training: Training,
        part: tuple[Interval, Interval] = (WHOLE, WHOLE),
    ) -> FeatureMap:
        feature = (image.at(height, *training.train_size), image.at(width, *training.train_size))
        window = tuple(
            max(1, size * base // train)
            for size, base, train in zip(feature, training.base_size, training.train_size, strict=True)
        )
        return cls(height, width, feature, (window[0], window[1]), part)

    def fits(self, image: ImageSize, height: int, width: int) -> bool:
        """Whether the whole map lies inside its window for an image of ``height x width`` pixels."""
        return (
            image.at(self.height, height, width) <= self.window[0]
            and image.at(self.width, height, width) <= self.window[1]
        )
