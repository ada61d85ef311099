"""What is to know of a statistic: the row of a table that everything else reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from torch import fx

from passes.sizes import ImageSize
from passes.torch_internals.names import OpOverload
from passes.window_domain.affine_pixels import AffineForm, Call
from passes.window_domain.door import Door
from passes.window_domain.layout import PixelLayout, PixelLayouts
from passes.window_domain.window import FeatureMap
from passes.words import aten


@dataclass(frozen=True)
class Operator:
    """A ``tlc::`` operator and how it is written where it is not known.

    Attributes:
        overload: the operator; its eager kernel is the reference.
        formula: of a vocabulary (:class:`passes.words.words.Words`) and the operator's arguments: in the type of its
            maps, without running sums, for every runtime.
        running_sums: in place of it where running sums and float64 are at hand and fast.
        aten: in place of a formula where ATen and ONNX have another algorithm each.
        exact: of an operator on a grid, the one that takes the same first arguments and every window.
        gate: of a product, the operator whose result it multiplies.
        is_average: whether it weighs pixels alike in all channels, so that combining channels may come first.
        multiply_adds: of one call, from its arguments, a shape in the place of every tensor; None where it adds only.
        is_plane_by_plane: whether each plane of its maps, for a norm each group of channels, is computed by itself.
    """

    overload: OpOverload
    formula: Callable[..., Any] | None = None
    running_sums: Callable[..., Any] | None = None
    aten: Callable[..., Any] | None = None
    exact: OpOverload | None = None
    gate: OpOverload | None = None
    is_average: bool = False
    multiply_adds: Callable[[Sequence[Any]], int] | None = None
    is_plane_by_plane: bool = False

    @property
    def in_aten(self) -> Callable[..., Any]:
        """The operator as a function that writes ATen."""
        if self.aten is not None:
            return self.aten
        assert self.on_a_cpu is not None
        return partial(self.on_a_cpu, aten)

    @property
    def on_a_cpu(self) -> Callable[..., Any] | None:
        """The formula that is fastest on a processor with a cache."""
        return self.running_sums or self.formula


class Found(Protocol):
    """A computation over pixels that becomes local as a whole."""

    @property
    def node(self) -> fx.Node: ...

    @property
    def kind(self) -> str: ...

    @property
    def layout(self) -> PixelLayout: ...


@dataclass(frozen=True)
class Whole:
    """A statistic together with what is done to the pixels by it, such as a norm.

    Attributes:
        match: what a node is, if it is one.
        localize: puts the local form of what was found in its place, given the map, layouts and nodes per window.
        has_grid_form: whether its statistics can be taken on a grid of windows.
    """

    match: Callable[[fx.Node, PixelLayouts, ImageSize], Found | None]
    localize: Callable[[Any, FeatureMap, PixelLayouts, int | None], None]
    has_grid_form: bool = False


Separation = Callable[[Door, AffineForm, bool], Call | None]
"""A door over ``scale * atom + offset``, or over its square, from doors over the atom; None where it has no form."""


@dataclass(frozen=True)
class Statistic:
    """One statistic.

    Attributes:
        operators: it is computed by; none where it is composed of other statistics.
        door: what a node reduces pixels to, if it is this statistic.
        whole: in place of a door where pixels come out again.
        separated: for what a door's node calls, the statistic of an affine function of pixels.
        spelled: what a node that is another spelling of it is in the operators a door knows, exactly.
        composing: ATen reductions of which one over some axes, after one over others, is one over all.
    """

    operators: tuple[Operator, ...] = ()
    door: Callable[[fx.Node, PixelLayouts], Door | None] | None = None
    whole: Whole | None = None
    separated: Mapping[Any, Separation] = field(default_factory=dict)
    spelled: Callable[[fx.Node], Call | None] | None = None
    composing: tuple[OpOverload, ...] = ()
