"""A network run in PyTorch with local statistics: what a converted file must compute, from the paper alone.

    localiser = EagerLocaliser(network, train_size=(48, 48))
    expected = localiser(image)

Every function the network calls is seen by a ``TorchFunctionMode``. A reduction over all pixels of a feature map
(pool, mean, sum, variance, extreme, norm, softmax, product of matrices) is taken over windows in float64, everything
computed from it is computed per window (:mod:`tests.oracles.per_window`), and where it meets pixels again every
pixel gets the value of the window around it. Which axes count pixels is followed from the image on
(:mod:`tests.oracles.pixel_axes`). Windows are 1.5 training crops at the resolution of their map, found by running
the network on one training crop first; there every window covers its map (Improving Image Restoration by Revisiting
Global Information Aggregation, ECCV 2022). There is no graph, no export, and nothing of the packages under test.
"""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from tests.oracles import pixel_axes, statistics_of_windows
from tests.oracles.axes_after_calls import axes_after, axes_after_writing
from tests.oracles.function_names import (
    ARITHMETIC,
    CONSTANTS,
    FACTS,
    MOVES,
    POINTWISE,
    PRODUCTS,
    SPREADS,
    VIEWS,
    plain_name,
)
from tests.oracles.per_window import CannotRun, Domain, PerWindow, StandIn, Value, derived, extent
from tests.oracles.pixel_axes import Axes, Layout, layout_of
from tests.oracles.reductions import COMPUTE, norm_of, reduction_of
from tests.oracles.statistics_of_windows import Map, Reduction, Term, products, times
from tests.oracles.windows import mean_over, of_attention, window_size


@dataclass
class _Site:
    """One statistic: what it is called, and the extents of its map on the training crop."""

    kind: str
    height: int
    width: int


class StaysGlobal(Exception):
    """Statistics that reach something nothing is known of per window."""

    def __init__(self, sites: frozenset[int], why: str) -> None:
        super().__init__(why)
        self.sites = sites


@dataclass
class EagerLocaliser:
    """
    Attributes:
        train_size: height and width of a training crop, as the network accepts it.
        local: kinds of the statistics taken over windows, known after the first call.
        left_global: those that stay global, with the reason.
    """

    network: nn.Module
    train_size: tuple[int, int]
    local: list[str] = field(default_factory=list)
    left_global: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = copy.deepcopy(self.network).eval().double()

    def __call__(self, image: Tensor, *extra: Tensor) -> Any:
        """The network's output for ``image [N, C, H, W]``, in float64, with every statistic over windows."""
        sites = self._run(None, *self._crops(image, *extra))[1]
        result, own = self._run(sites, image, *extra)
        if [site.kind for site in own] != [site.kind for site in sites]:
            # A map of one pixel shows no rows and columns; up to a training crop every window is its whole map.
            if all(extent <= least for extent, least in zip(image.shape[2:], self.train_size, strict=True)):
                self.local = [site.kind for site in sites]
                with torch.no_grad(), _float64():
                    return self.network(image.double(), *(x.double() for x in extra))
            raise CannotRun("its statistics at this size are not those on a training crop")
        self.local = [site.kind for number, site in enumerate(own) if number not in self.left_global]
        return result

    def _crops(self, image: Tensor, *extra: Tensor) -> list[Tensor]:
        """Inputs of the size of a training crop."""
        crop = image[..., :1, :1].expand(*image.shape[:2], *self.train_size)
        crop = crop + 0.1 * torch.rand(crop.shape, generator=torch.Generator().manual_seed(0))
        others = [
            x[..., :1, :1].expand(*x.shape[:2], *self.train_size) if x.shape[2:] == image.shape[2:] else x
            for x in extra
        ]
        return [crop, *others]

    def _run(self, trained: list[_Site] | None, *images: Tensor) -> tuple[Any, list[_Site]]:
        while True:
            mode = _LocalStatistics(self.train_size, trained, frozenset(self.left_global))
            try:
                with torch.no_grad(), _float64(), mode:
                    given = [mode.image(image.double()) for image in images]
                    result = self.network(*given)
                return tree_map(mode.pixels_of_result, result), mode.sites
            except StaysGlobal as stop:
                if stop.sites <= self.left_global.keys():
                    raise CannotRun(str(stop)) from stop
                self.left_global |= dict.fromkeys(stop.sites, str(stop))


@contextmanager
def _float64() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class PixelsAndWindows(StandIn):
    """A feature map that has values of windows in it: a sum of :class:`Term`, computed per pixel when it is used."""

    terms: list[Term]
    axes: Axes
    known: Tensor | None

    @staticmethod
    def __new__(cls, terms: list[Term], axes: Axes, shape: Sequence[int]) -> PixelsAndWindows:
        made = Tensor._make_wrapper_subclass(cls, tuple(shape), dtype=torch.float64)
        made.terms, made.axes, made.known = terms, axes, None
        return made

    def pixels(self) -> Tensor:
        if self.known is None:
            layout = layout_of(self.axes)
            assert layout is not None
            total = torch.zeros(self.shape, dtype=torch.float64)
            for term in self.terms:
                factor = term.coefficient
                if isinstance(factor, PerWindow):
                    factor = factor.spread(layout, self.dim())
                own = 1.0 if factor is None else factor
                total = total + (own if term.map is None else own * term.map.tensor)
            self.known = _marked(total, self.axes)
        return self.known


def _marked(x: Any, axes: Axes | None) -> Tensor:
    x.pixel_axes = axes
    return x


def _forget_half(x: Any) -> None:
    x.half_reduced = None


def _axes(x: Any) -> Axes | None:
    """Of a tensor that depends on the image; None of any other."""
    return x.axes if isinstance(x, PixelsAndWindows) else getattr(x, "pixel_axes", None)


def _layout(x: Any) -> Layout | None:
    axes = _axes(x)
    return None if axes is None else layout_of(axes)


class _Sizes(tuple[int, ...]):
    def numel(self) -> int:
        return math.prod(self)


class _LocalStatistics(TorchFunctionMode):
    """Runs a network once.

    Args:
        train_size: of a training crop.
        trained: the statistics as they were found on a training crop; None while finding them.
        stay_global: numbers of statistics to be left alone.
    """

    def __init__(
        self, train_size: tuple[int, int], trained: list[_Site] | None, stay_global: frozenset[int]
    ) -> None:
        super().__init__()
        self.train_size = train_size
        self.trained = trained
        self.stay_global = stay_global
        self.sites: list[_Site] = []
        self._maps: weakref.WeakSet[Map] = weakref.WeakSet()

    def image(self, x: Tensor) -> Tensor:
        return _marked(x.clone(), pixel_axes.image_axes(x.shape))

    def pixels_of_result(self, x: Any) -> Any:
        if isinstance(x, PixelsAndWindows):
            return x.pixels()
        return x

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", str(function))
        if name == "__get__":
            return self._attribute(function, args)
        if name in FACTS:
            return self._fact(name, function, args, kwargs)
        return self._call(name, function, args, kwargs)

    def _attribute(self, function: Any, args: tuple[Any, ...]) -> Any:
        x = args[0]
        which = getattr(function.__self__, "__name__", "")
        if which == "shape":
            return self._shape(x)
        if which in ("T", "mT", "data", "H", "mH", "real", "imag"):
            return self._call(which, function, args, {})
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args)

    def _shape(self, x: Tensor) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            shape = tuple(x.shape)
        axes = _axes(x)
        if axes is None or not pixel_axes.is_named(axes):
            return _Sizes(shape)
        letters = ["".join(n for n, _ in axis if isinstance(n, str)) if len(axis) else "" for axis in axes]
        whole = [all(n in ("H", "W") for n, _ in axis) for axis in axes]
        return _Sizes(
            extent(letter, size) if ok and letter in ("H", "W", "HW") else size
            for size, letter, ok in zip(shape, letters, whole, strict=True)
        )

    def _fact(self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "size":
            dims = [*args[1:], *kwargs.values()]
            shape = self._shape(args[0])
            return shape[dims[0]] if dims and dims[0] is not None else shape
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **kwargs)

    # -- one call -------------------------------------------------------------------------------------------------

    def _call(self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        plain = plain_name(name)
        if plain in ("float", "half", "bfloat16"):
            name = plain = "double"
            function, args, kwargs = Tensor.double, args[:1], {}
        args, kwargs = tree_map(_double_dtype, (args, kwargs))
        is_in_place = (
            (name.endswith("_") and not name.endswith("__"))
            or name.startswith("__i")
            or bool(kwargs.get("inplace"))
        )
        target = args[0] if args and isinstance(args[0], Tensor) else None
        if name == "__setitem__":
            return self._set_item(function, args)
        if (
            plain in ("to", "type_as")
            and target is not None
            and not _has_other_dtype((*args[1:], *kwargs.values()))
        ):
            function, args, kwargs = Tensor.double, args[:1], {}
        if name in CONSTANTS:
            return function(*tree_map(self._empty, args), **tree_map(self._empty, kwargs))
        given = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        has_windows = any(isinstance(x, (PerWindow, PixelsAndWindows)) for x in given)
        if not has_windows and not any(_axes(x) is not None for x in given):
            return function(*args, **kwargs)
        if is_in_place and target is not None and has_windows:
            return self._in_place(plain, name, function, target, args, kwargs)
        if is_in_place and target is not None:
            self._keep_maps_of(target)
        reduced = self._reduced(plain, function, args, kwargs)
        if reduced is not NotImplemented:
            return reduced
        if has_windows:
            met = self._met(plain, name, function, args, kwargs, given)
            if met is not NotImplemented:
                return met
            args, kwargs = tree_map(self.pixels_of_result, (args, kwargs))
        return self._on_pixels(plain, function, args, kwargs)

    def _in_place(
        self,
        plain: str,
        name: str,
        function: Any,
        target: Tensor,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """The same out of place, and the result in the place of the target."""
        kwargs = {key: value for key, value in kwargs.items() if key != "inplace"}
        if isinstance(args[0], PixelsAndWindows):
            args = (_marked(args[0].pixels().clone(), args[0].axes), *args[1:])
        if isinstance(target, PerWindow):
            args = (PerWindow(target.value, target.part, tuple(target.shape)), *args[1:])
        away = getattr(Tensor, plain, None) or getattr(torch, plain, None) or function
        if name in (
            "relu",
            "leaky_relu",
            "silu",
            "hardswish",
            "mish",
            "elu",
            "relu6",
            "hardsigmoid",
            "dropout",
        ):
            away = function
        result = self._call(plain, away, args, kwargs)
        if isinstance(target, PerWindow):
            if not isinstance(result, PerWindow):
                raise StaysGlobal(target.value.sites, f"{name} writes pixels into a statistic")
            target.value, target.part = result.value, result.part
            return target
        pixels = self.pixels_of_result(result)
        if isinstance(target, PixelsAndWindows):
            target.known = pixels
            target.terms, target.axes = [Term(None, self._map(pixels))], _axes(pixels) or target.axes
            return target
        self._keep_maps_of(target)
        target.copy_(pixels)
        return _marked(target, _axes(pixels) or pixel_axes.unnamed(target.shape))

    def _set_item(self, function: Any, args: tuple[Any, ...]) -> None:
        target, index, value = args
        if isinstance(value, PerWindow) or isinstance(target, PerWindow):
            sites = value.value.sites if isinstance(value, PerWindow) else target.value.sites
            raise StaysGlobal(sites, "a statistic is written into a tensor")
        index, value = tree_map(self.pixels_of_result, (index, value))
        if isinstance(target, PixelsAndWindows):
            pixels = _marked(target.pixels().clone(), target.axes)
            self._set_item(function, (pixels, index, value))
            target.known, target.terms = pixels, [Term(None, self._map(pixels))]
            target.axes = _axes(pixels) or target.axes
            return
        self._keep_maps_of(target)
        function(target, index, value)
        if _axes(value) is not None or _axes(target) is not None:
            _marked(target, axes_after_writing(target, index, value))

    def _empty(self, x: Any) -> Any:
        return torch.empty(tuple(x.shape)) if isinstance(x, Tensor) else x

    def _map(self, x: Tensor) -> Map:
        made = Map(x)
        self._maps.add(made)
        return made

    def _keep_maps_of(self, x: Tensor) -> None:
        if isinstance(x, (PerWindow, PixelsAndWindows)):
            return
        for held in self._maps:
            if held.tensor.untyped_storage().data_ptr() == x.untyped_storage().data_ptr():
                held.keep()

    # -- statistics -----------------------------------------------------------------------------------------------

    def _reduced(self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The statistic this call is; NotImplemented where it is none over all pixels of a map."""
        x = args[0] if args else kwargs.get("input")
        if name in PRODUCTS or name == "__rmatmul__":
            return self._product_over_pixels(name, args)
        if not isinstance(x, Tensor) or isinstance(x, PerWindow):
            return NotImplemented
        if getattr(x, "half_reduced", None) is not None:
            return self._second_half(name, function, x, args, kwargs)
        layout = _layout(x)
        if layout is None:
            return NotImplemented
        rest = args[1:] if args else ()
        named = {key: value for key, value in kwargs.items() if key != "input"}
        if name in ("instance_norm", "group_norm", "layer_norm"):
            return self._norm(name, x, layout, function, args, kwargs)
        if name == "normalize":
            return self._normalize(x, layout, rest, named)
        if name == "softmax":
            return self._softmax(x, layout, rest, named)
        found = reduction_of(name, x, layout, rest, named)
        if found is None:
            return NotImplemented
        kind, dims, keepdim, options = found
        over = Reduction(tuple(x.shape), layout, dims, keepdim)
        if not set(layout.axes) <= set(dims):
            return self._first_half(kind, name, function, x, layout, over, args, kwargs)
        if 0 in dims:
            return NotImplemented
        return self._statistic(
            kind,
            x,
            over,
            options,
            lambda: self._on_pixels(name, function, *tree_map(self.pixels_of_result, (args, kwargs))),
        )

    def _statistic(
        self, kind: str, x: Tensor, over: Reduction, options: dict[str, Any], unchanged: Callable[[], Any]
    ) -> Any:
        compute = COMPUTE[kind]
        terms = self._terms(x) if kind != "norm" else [Term(None, self._map(self.pixels_of_result(x)))]
        if kind in ("amax", "amin", "max", "min", "logsumexp") and not _is_shifted_map(terms):
            terms = [Term(None, self._map(self.pixels_of_result(x)))]
        number = self._site(kind, over.layout)
        if number in self.stay_global:
            return unchanged()
        value = self._value(
            number, over.layout, lambda windows, strided: compute(terms, over, windows, strided, options)
        )
        parts = [
            PerWindow(value, part, over.result_shape()) for part in range(2 if kind.endswith("_mean") else 1)
        ]
        if kind in ("max", "min"):
            return _Extreme(parts[0], None)
        return tuple(parts) if len(parts) > 1 else parts[0]

    def _site(self, kind: str, layout: Layout) -> int:
        self.sites.append(_Site(kind, layout.height, layout.width))
        return len(self.sites) - 1

    def _value(self, number: int, layout: Layout, compute: Callable[..., Any]) -> Value:
        window = (layout.height, layout.width)
        if self.trained is not None:
            if number >= len(self.trained):
                raise CannotRun("it has more statistics at this size than on a training crop")
            site = self.trained[number]
            window = (
                window_size(site.height, self.train_size[0]),
                window_size(site.width, self.train_size[1]),
            )
        domain = Domain(layout.height, layout.width, window)

        def at(strided: bool) -> tuple[Tensor, ...]:
            result = compute(domain.windows(strided), strided)
            return result if isinstance(result, tuple) else (result,)

        return Value(domain, frozenset({number}), at)

    def _terms(self, x: Tensor) -> list[Term]:
        return x.terms if isinstance(x, PixelsAndWindows) else [Term(None, self._map(x))]

    def _first_half(
        self,
        kind: str,
        name: str,
        function: Any,
        x: Tensor,
        layout: Layout,
        over: Reduction,
        args: Any,
        kwargs: Any,
    ) -> Any:
        """A reduction over rows or columns alone, which another one over the others may follow."""
        if (
            len(layout.axes) != 2
            or len(set(layout.axes) & set(over.dims)) != 1
            or kind not in ("mean", "sum", "amax", "amin", "logsumexp")
        ):
            return NotImplemented
        result = self._on_pixels(name, function, *tree_map(self.pixels_of_result, (args, kwargs)))
        result.half_reduced = (kind, self._terms(x), over)
        return result

    def _second_half(
        self, name: str, function: Any, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        kind, terms, first = x.half_reduced
        found = reduction_of(name, x, None, args[1:], kwargs)
        if found is None or found[0] != kind:
            return NotImplemented
        kept = [axis for axis in range(len(first.shape)) if first.keepdim or axis not in first.dims]
        dims = tuple(sorted({*first.dims, *(kept[dim] for dim in found[1])}))
        if not set(first.layout.axes) <= set(dims) or 0 in dims:
            return NotImplemented
        over = Reduction(first.shape, first.layout, dims, first.keepdim and found[2])
        if first.keepdim != found[2]:
            return NotImplemented
        number = self._site(kind, over.layout)
        if number in self.stay_global:
            return self._on_pixels(name, function, args, kwargs)
        value = self._value(
            number, over.layout, lambda windows, strided: COMPUTE[kind](terms, over, windows, strided, {})
        )
        return PerWindow(value, 0, over.result_shape())

    def _norm(
        self,
        name: str,
        x: Tensor,
        layout: Layout,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        over, weight, bias, eps = norm_of(name, x, layout, args, kwargs) or (None, None, None, 0.0)
        if over is None:
            return NotImplemented
        number = self._site(name, layout)
        pixels = self.pixels_of_result(x)
        if number in self.stay_global:
            return NotImplemented
        grouped = pixels.reshape(over.shape)
        terms = [Term(None, Map(grouped))]
        value = self._value(
            number,
            layout,
            lambda windows, strided: (
                over.over_rest(torch.mean, statistics_of_windows.mean(terms, over, windows, strided)),
                statistics_of_windows.variance(terms, over, windows, strided),
            ),
        )
        shape = over.result_shape()
        average, spread = (
            PerWindow(value, part, shape).spread(over.layout, len(over.shape)) for part in (0, 1)
        )
        if average is None or spread is None:
            return NotImplemented
        result = ((grouped - average) / (spread + eps).sqrt()).reshape(pixels.shape)
        channels = [1, -1] + [1] * (pixels.dim() - 2)
        if weight is not None:
            result = result * weight.reshape(channels)
        if bias is not None:
            result = result + bias.reshape(channels)
        return _marked(result, _axes(x))

    def _normalize(self, x: Tensor, layout: Layout, rest: tuple[Any, ...], named: dict[str, Any]) -> Any:
        bound = dict(zip(("p", "dim", "eps"), rest, strict=False)) | named
        p, dim, eps = bound.get("p", 2.0), bound.get("dim", 1), bound.get("eps", 1e-12)
        dims = {d % x.dim() for d in ([dim] if isinstance(dim, int) else dim)}
        if not set(layout.axes) <= dims:
            return NotImplemented
        with self:
            return x / torch.linalg.vector_norm(x, p, tuple(dims), keepdim=True).clamp_min(eps)

    def _softmax(self, x: Tensor, layout: Layout, rest: tuple[Any, ...], named: dict[str, Any]) -> Any:
        dim = named.get("dim", rest[0] if rest else None)
        if dim is None or layout.axes != (dim % x.dim(),):
            return NotImplemented
        pixels = self.pixels_of_result(x)
        exponential = _marked((pixels - pixels.max()).exp(), _axes(x))
        with self:
            total = exponential.sum(dim, keepdim=True)
            if not isinstance(total, PerWindow):
                return NotImplemented
            self.sites[-1] = replace(self.sites[-1], kind="softmax")
            return exponential / total

    def _as_factor(self, x: Tensor) -> list[Term]:
        """``x`` in a product of two maps that is summed over pixels.

        The weights of a softmax are of their window, and so are the vectors of an attention. Whatever else pixels
        were scaled by has met them before.
        """
        terms = self._terms(x)
        kinds = {self.sites[site].kind for term in terms for site in _sites_of(term)}
        if all(term.map is not None for term in terms) and kinds <= {"norm", "softmax"}:
            return terms
        return [Term(None, self._map(self.pixels_of_result(x)))]

    def _product_over_pixels(self, name: str, args: tuple[Any, ...]) -> Any:
        left, right = reversed(args) if name == "__rmatmul__" else args
        a, b = _layout(left), _layout(right)
        if a is None or b is None or a.axes != (left.dim() - 1,) or b.axes != (right.dim() - 2,):
            return NotImplemented
        if (a.height, a.width) != (b.height, b.width):
            return NotImplemented
        terms_a, terms_b = self._as_factor(left), self._as_factor(right)
        number = self._site("product over pixels", a)
        shape = tuple(torch.matmul(*(torch.empty(x.shape, device="meta") for x in (left, right))).shape)
        if number in self.stay_global:
            plain = torch.matmul(self.pixels_of_result(left), self.pixels_of_result(right))
            return _marked(plain, pixel_axes.unnamed(plain.shape))

        def compute(windows: Any, strided: bool) -> Tensor:
            total = torch.zeros(len(windows), *shape, dtype=torch.float64)
            for one in terms_a:
                for other in terms_b:
                    assert one.map is not None and other.map is not None
                    gram = _gram(a.map_last(one.map.tensor), b.map_last(other.map.tensor), windows, strided)
                    factor = statistics_of_windows.coefficient_at(one.coefficient, strided, left.dim())
                    factor = factor * statistics_of_windows.coefficient_at(
                        other.coefficient, strided, right.dim()
                    )
                    total = total + factor * gram
            return total

        return PerWindow(self._value(number, a, compute), 0, shape)

    # -- statistics meet pixels -----------------------------------------------------------------------------------

    def _met(
        self,
        plain: str,
        name: str,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: list[Tensor],
    ) -> Any:
        """A call with values of windows in it."""
        if name in ("item", "__bool__", "__int__", "__float__", "tolist", "numpy", "__index__"):
            raise CannotRun("its control flow depends on a statistic")
        values = [x for x in given if isinstance(x, PerWindow)]
        sites = frozenset[int]().union(*(x.value.sites for x in values))
        pixels = [x for x in given if _axes(x) is not None]
        if values and not pixels:
            if plain in SPREADS and (spread := self._spread(function, args, kwargs)) is not NotImplemented:
                return spread
            return derived(function, args, kwargs)
        if name in ARITHMETIC or plain in ARITHMETIC or plain in ("pow", "rsub"):
            mixed = self._arithmetic(name, plain, args, kwargs)
            if mixed is not NotImplemented:
                return mixed
        if plain in MOVES and isinstance(args[0], PixelsAndWindows):
            return self._moved(function, args, kwargs)
        if plain in VIEWS and isinstance(args[0], PixelsAndWindows):
            return self._viewed(function, args, kwargs)
        if plain == "batch_norm" and isinstance(args[0], PixelsAndWindows):
            return self._frozen_batch_norm(args, kwargs)
        if not values:
            return NotImplemented
        if plain in PRODUCTS:
            return self._attended(args, sites)
        if plain == "expand_as":
            return self._as_pixels(args[0], args[1], sites)
        if plain not in POINTWISE:
            raise StaysGlobal(sites, f"it meets pixels in {name}")
        return self._pointwise(plain, function, args, kwargs, given, sites)

    def _pointwise(
        self, plain: str, function: Any, args: Any, kwargs: Any, given: list[Tensor], sites: frozenset[int]
    ) -> Any:
        maps = [(x, layout) for x in given if (layout := _layout(x)) is not None]
        rank = max(x.dim() for x in given)
        if not maps or maps[0][0].dim() != rank:
            raise StaysGlobal(sites, "it meets a tensor that is no feature map")
        layout = maps[0][1]

        def spread(x: Any) -> Any:
            if not isinstance(x, PerWindow):
                return self.pixels_of_result(x)
            values = x.spread(layout, rank)
            if values is None:
                raise StaysGlobal(sites, "it has a value of its own for every position")
            return _marked(values, _axes_like(values, _axes(maps[0][0])))

        return self._on_pixels(plain, function, tree_map(spread, args), tree_map(spread, kwargs))

    def _as_pixels(self, value: PerWindow, like: Tensor, sites: frozenset[int]) -> Tensor:
        layout = _layout(like)
        values = None if layout is None else value.spread(layout, like.dim())
        if values is None:
            raise StaysGlobal(sites, "it is copied over a tensor that is no feature map")
        return _marked(values.expand(like.shape).clone(), _axes(like))

    def _spread(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A statistic copied over a map whose extents are given."""
        (value, *_) = args
        if not isinstance(value, PerWindow):
            return NotImplemented
        example = function(torch.zeros(value.shape), *args[1:], **kwargs)
        shape = (1,) * (example.dim() - value.dim()) + tuple(value.shape)
        grown = tuple(
            axis for axis, (a, b) in enumerate(zip(shape, example.shape, strict=True)) if a == 1 != b
        )
        if not grown:
            return NotImplemented
        domain = value.value.domain
        if len(grown) == 2:
            layout = Layout(grown, *(example.shape[axis] for axis in grown))
        elif len(grown) == 1 and example.shape[grown[0]] == domain.height * domain.width:
            layout = Layout(grown, domain.height, domain.width)
        else:
            raise StaysGlobal(value.value.sites, "it is copied along something else than pixels")
        values = value.spread(layout, example.dim())
        if values is None or values.shape != example.shape:
            raise StaysGlobal(value.value.sites, "it is copied along channels and pixels at once")
        named: dict[int, pixel_axes.Axis] = {layout.axes[0]: (("H", layout.height), ("W", layout.width))}
        if len(grown) == 2:
            named = {grown[0]: (("H", layout.height),), grown[1]: (("W", layout.width),)}
        return _marked(
            values, tuple(named.get(axis, own) for axis, own in enumerate(pixel_axes.unnamed(values.shape)))
        )

    def _moved(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        rank = x.dim()
        terms = []
        for term in x.terms:
            factor = term.coefficient
            if isinstance(factor, Tensor):
                if factor.dim() != rank:
                    return NotImplemented
                if isinstance(factor, PerWindow):
                    factor = derived(function, (factor, *args[1:]), kwargs)
                else:
                    factor = function(factor, *args[1:], **kwargs)
            pixels = None if term.map is None else Map(function(term.map.tensor, *args[1:], **kwargs))
            terms.append(Term(factor, pixels))
        axes = pixel_axes.moved(x.axes, function, args[1:], kwargs)
        shape = function(torch.empty(x.shape, device="meta"), *args[1:], **kwargs).shape
        return PixelsAndWindows(terms, axes, shape)

    def _viewed(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        shape = tuple(function(torch.empty(x.shape, device="meta"), *args[1:], **kwargs).shape)
        axes = pixel_axes.reshaped(x.axes, shape)
        before, after = layout_of(x.axes), layout_of(axes)
        if before is None or after is None:
            return NotImplemented
        own = [1 if axis in before.axes else size for axis, size in enumerate(x.shape)]
        new = [1 if axis in after.axes else size for axis, size in enumerate(shape)]

        def view(factor: Any) -> Any:
            if isinstance(factor, PerWindow):
                return derived(lambda values: values.expand(own).reshape(new), (factor,), {})
            return factor.expand(own).reshape(new) if isinstance(factor, Tensor) else factor

        terms = [
            Term(view(term.coefficient), None if term.map is None else Map(term.map.tensor.reshape(shape)))
            for term in x.terms
        ]
        return PixelsAndWindows(terms, axes, shape)

    def _frozen_batch_norm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A batch norm with kept statistics is a factor and an offset per channel."""
        order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        bound = dict(zip(order, args, strict=False)) | kwargs
        x = bound["input"]
        if bound.get("training"):
            return NotImplemented
        factor = (bound["running_var"] + bound.get("eps", 1e-5)).rsqrt()
        factor = factor if bound.get("weight") is None else factor * bound["weight"]
        offset = -bound["running_mean"] * factor
        offset = offset if bound.get("bias") is None else offset + bound["bias"]
        channels = [1, -1] + [1] * (x.dim() - 2)
        with self:
            return x * factor.reshape(channels) + offset.reshape(channels)

    def _attended(self, args: tuple[Any, ...], sites: frozenset[int]) -> Tensor:
        """A matrix per window times pixels: each window attended alone, the mean where windows overlap."""
        left, right = args
        matrix_first = isinstance(left, PerWindow)
        matrix, pixels = (left, right) if matrix_first else (right, left)
        layout = _layout(pixels)
        axis = pixels.dim() - (1 if matrix_first else 2)
        if isinstance(pixels, PerWindow) or layout is None or layout.axes != (axis,):
            raise StaysGlobal(sites, "its product is with a tensor that is no feature map")
        domain = matrix.value.domain
        if (domain.height, domain.width) != (layout.height, layout.width):
            raise StaysGlobal(sites, "its product is with another map")
        attend = torch.matmul if matrix_first else (lambda m, p: torch.matmul(p, m))
        source = layout.map_last(self.pixels_of_result(pixels))
        windows = of_attention(domain.height, domain.width, domain.window)
        matrices = iter(matrix.at(strided=True))
        total: Any = 0
        count = torch.zeros(domain.height, domain.width)
        for top in windows.tops:
            for left_edge in windows.lefts:
                crop = (..., slice(top, top + windows.height), slice(left_edge, left_edge + windows.width))
                own = Layout((axis,), windows.height, windows.width)
                result = own.map_last(attend(next(matrices), own.from_map_last(source[crop])))
                if isinstance(total, int):
                    total = torch.zeros(*result.shape[:-2], domain.height, domain.width)
                total[crop] += result
                count[crop[1:]] += 1
        result = layout.from_map_last(total / count)
        before = _axes(pixels)
        assert before is not None
        axes = list(before)
        channels = result.dim() - (2 if matrix_first else 1)
        axes[channels] = pixel_axes.unnamed(result.shape)[channels]
        return _marked(result, tuple(axes))

    def _arithmetic(self, name: str, plain: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Sums and products of pixels and values of their own windows, kept as such."""
        operation = ARITHMETIC.get(name) or ARITHMETIC.get(plain) or plain
        if kwargs and set(kwargs) - {"inplace"}:
            return NotImplemented
        operands = list(args)
        if operation == "rsub" or name == "__rsub__":
            operation, operands = "sub", [operands[1], operands[0]]
        if name in ("__rtruediv__", "reciprocal"):
            return NotImplemented
        if operation == "pow":
            if len(operands) != 2 or not isinstance(operands[1], (int, float)) or operands[1] != 2:
                return NotImplemented
            operation, operands = "square", operands[:1]
        maps = [(x, layout, _axes(x)) for x in operands if (layout := _layout(x)) is not None]
        if not maps:
            return NotImplemented
        like, layout, like_axes = maps[0]
        terms = [own for x in operands if (own := self._terms_on(x, layout, like.dim())) is not None]
        if like_axes is None or len(terms) < len(operands):
            return NotImplemented
        if operation == "mul" and _are_different_maps(*terms):
            terms = [self._as_factor(x) for x in operands]
        combined = _combined(operation, terms, operands)
        if combined is None:
            return NotImplemented
        shape = torch.broadcast_shapes(*(tuple(x.shape) for x in operands if isinstance(x, Tensor)))
        if len(shape) != like.dim():
            return NotImplemented
        axes = pixel_axes.resized(like_axes, shape)
        return PixelsAndWindows(combined, axes, shape)

    def _terms_on(self, x: Any, layout: Layout, rank: int) -> list[Term] | None:
        if isinstance(x, (int, float)):
            return [Term(x, None)]
        if not isinstance(x, Tensor):
            return None
        if isinstance(x, PerWindow):
            domain = x.value.domain
            shape = (1,) * (rank - x.dim()) + tuple(x.shape)
            same = (domain.height, domain.width) == (layout.height, layout.width)
            return (
                [Term(x, None)]
                if same and len(shape) == rank and all(shape[a] == 1 for a in layout.axes)
                else None
            )
        if _axes(x) is not None:
            return self._terms(x) if x.dim() == rank and _layout(x) == layout else None
        shape = (1,) * (rank - x.dim()) + tuple(x.shape)
        return [Term(x, None)] if len(shape) == rank and all(shape[a] == 1 for a in layout.axes) else None

    # -- pixels ---------------------------------------------------------------------------------------------------

    def _on_pixels(self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        before = [(_axes(x), tuple(x.shape)) for x in given]
        result = function(*args, **kwargs)
        if not isinstance(result, (Tensor, tuple, list)):
            return result
        for tensor in tree_flatten(result)[0]:
            if isinstance(tensor, Tensor):
                _marked(tensor, axes_after(name, function, args, kwargs, before, tensor))
                _forget_half(tensor)
        return result


class _Extreme(NamedTuple):
    """What ``max(dim)`` returns; a network that uses the positions is beyond this oracle."""

    values: PerWindow
    indices: None


def _sites_of(term: Term) -> frozenset[int]:
    return term.coefficient.value.sites if isinstance(term.coefficient, PerWindow) else frozenset()


def _are_different_maps(left: Sequence[Term], right: Sequence[Term]) -> bool:
    """Whether a product is one of two maps, and no square of one."""
    first, second = ({term.map.key for term in side if term.map is not None} for side in (left, right))
    return bool(first and second) and first != second


def _is_shifted_map(terms: Sequence[Term]) -> bool:
    return [term.coefficient for term in terms if term.map is not None] == [None]


def _combined(operation: str, terms: list[list[Term]], operands: list[Any]) -> list[Term] | None:
    if operation == "square":
        return products(terms[0], terms[0])
    if operation == "neg":
        return [Term(times(-1.0, term.coefficient), term.map) for term in terms[0]]
    if len(terms) != 2:
        return None
    left, right = terms
    if operation == "mul":
        return products(left, right)
    if operation == "div":
        if len(right) != 1 or right[0].map is not None:
            return None
        divisor = right[0].coefficient
        inverse: Any = 1.0
        if isinstance(divisor, PerWindow):
            inverse = derived(torch.reciprocal, (divisor,), {})
        elif divisor is not None:
            inverse = 1 / divisor
        return [Term(times(inverse, term.coefficient), term.map) for term in left]
    if operation in ("add", "sub"):
        if operation == "sub":
            right = [
                Term(-1.0 if term.coefficient is None else times(-1.0, term.coefficient), term.map)
                for term in right
            ]
        maps = {term.map.key for term in (*left, *right) if term.map is not None}
        return [*left, *right] if len(maps) <= 1 else None
    return None


def _gram(a: Tensor, b: Tensor, windows: Any, strided: bool) -> Tensor:
    """``[windows, ..., i, j]`` of ``a [..., i, H, W]`` and ``b [..., j, H, W]``, over each window."""
    if not strided:
        outer = a.unsqueeze(-3) * b.unsqueeze(-4)
        return mean_over(outer, windows).movedim((-2, -1), (0, 1)).flatten(0, 1) * (
            windows.height * windows.width
        )
    grams = []
    for top in windows.tops:
        for left in windows.lefts:
            crop = (..., slice(top, top + windows.height), slice(left, left + windows.width))
            grams.append(a[crop].flatten(-2) @ b[crop].flatten(-2).transpose(-1, -2))
    return torch.stack(grams)


def _axes_like(x: Tensor, axes: Axes | None) -> Axes:
    """Those of the map ``axes`` belongs to, for a tensor that has the map's extents and channels of its own."""
    assert axes is not None
    return tuple(
        own if pixel_axes.is_named((own,)) else plain
        for own, plain in zip(axes, pixel_axes.unnamed(x.shape), strict=True)
    )


def _has_other_dtype(given: Sequence[Any]) -> bool:
    dtypes = [x.dtype if isinstance(x, Tensor) else x for x in given]
    return any(isinstance(x, torch.dtype) and not x.is_floating_point for x in dtypes)


def _double_dtype(x: Any) -> Any:
    return torch.float64 if isinstance(x, torch.dtype) and x.is_floating_point else x
