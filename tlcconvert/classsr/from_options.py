"""What the options of the pipeline mean for a ClassSR."""

from __future__ import annotations

from dataclasses import replace

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.classsr.calibrate import measured_costs
from tlcconvert.classsr.convert import at_scale, convert_classsr
from tlcconvert.classsr.costs import Costs, cost_text, read_costs
from tlcconvert.conversion import Conversion
from tlcconvert.errors import InputError
from tlcconvert.network.network import Network
from tlcconvert.options import Options, RoutingOptions
from tlcconvert.options.option import asked_for
from tlcconvert.output.write import check_writable
from tlcconvert.stages import Progress

_PUBLISHED_PATCH_SIZE = 32
# Nothing of a ClassSR depends on the whole image: localising and --strict hold as they are.
_SHARED = (
    "train_size", "localize_statistics", "strict", "input_channels", "extra_inputs", "pixels", "opset",
    "exported_program", "dump", "without", "progress", "routing",
)  # fmt: skip


def convert_from_options(network: Network, options: Options) -> Conversion:
    """Converts ``network``, a ClassSR; see :func:`tlcconvert.classsr.convert.convert_classsr`.

    Raises:
        InputError: an option means nothing to a ClassSR or does not fit the network.
    """
    if options.exported_program:
        raise InputError("A ClassSR routes patches at run time: write an .onnx file, not a .pt2.")
    _refuse_meaningless(options)
    assert isinstance(network.module, ClassSR)
    _refuse_other_inputs(network, network.module.colors)
    routing = options.routing
    module = at_scale(network.module, routing.scale)
    size = _square(options.train_size) if routing.patch_size is None else routing.patch_size
    costs = _costs(module, routing, size, options.progress)
    conversion = convert_classsr(
        module,
        patch_size=size,
        patch_step=size - size // 8 if routing.patch_step is None else routing.patch_step,
        knobs=routing.knobs,
        costs=costs,
        opset=options.opset,
        pixels=network.pixels,
        source_sha256=network.sha256,
        without=options.without,
        dump=options.dump,
        progress=options.progress,
    )
    if routing.calibrate is not None and costs is not None:
        return replace(conversion, cost_file=cost_text(costs, size))
    return conversion


def _refuse_meaningless(options: Options) -> None:
    asked = asked_for(options, besides=_SHARED)
    if options.output_index == 0:  # the image, which is what the file returns
        asked.remove("--output-index")
    if asked:
        raise InputError(f"A ClassSR routes patches to branches: leave out {', '.join(asked)}.")


def _refuse_other_inputs(network: Network, colors: int) -> None:
    if network.input_channels not in (None, colors):
        raise InputError(f"This ClassSR takes images of {colors} channels, not {network.input_channels}.")
    if network.extra_inputs:
        raise InputError("A ClassSR takes an image and nothing beside it.")


def _costs(network: ClassSR, routing: RoutingOptions, size: int, progress: Progress | None) -> Costs | None:
    if routing.costs is not None:
        return read_costs(routing.costs, size, len(network.branches))
    if routing.calibrate is None:
        return None
    check_writable(routing.calibrate)
    if progress is not None:
        progress("measuring the branches")
    return measured_costs(network, size)


def _square(train_size: tuple[int, int] | None) -> int:
    height, width = train_size or (_PUBLISHED_PATCH_SIZE, _PUBLISHED_PATCH_SIZE)
    if height != width:
        raise InputError(
            f"Patches are square: the train size of a ClassSR is one number, not {height}x{width}."
        )
    return height
