"""Whether local statistics help a network, told from degraded images alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.export import ExportedProgram

from tlcconvert.architectures.classsr import ClassSR
from tlcconvert.begun import Begun
from tlcconvert.convert import as_asked, begin, known
from tlcconvert.diagnosis.diagnose_images import diagnose_images
from tlcconvert.diagnosis.diagnosis import Diagnosis
from tlcconvert.diagnosis.subject import subject_of
from tlcconvert.diagnosis.work_clock import Report
from tlcconvert.errors import InputError
from tlcconvert.images.image_file import require_image_libraries
from tlcconvert.images.image_files import image_files, refuse_no_images
from tlcconvert.images.unusable_image import UnusableImage
from tlcconvert.machine.out_of_memory import memory_named
from tlcconvert.network.network import Network
from tlcconvert.network.pixels import Pixels
from tlcconvert.options import Options

Image = str | os.PathLike[str] | Tensor


def diagnose(
    network: nn.Module | ExportedProgram | Network,
    images: Image | Sequence[Image],
    train_size: int | tuple[int, int],
    *,
    base_ratio: float = 1.5,
    input_channels: int | None = None,
    output_index: int | None = None,
    pixels: Pixels | None = None,
    report: Report | None = None,
) -> Diagnosis:
    """Says whether local statistics bring a network closer to what it does on its training crops.

    No clean image is needed: the images are such as the network is for, as large as they are in use. The same images
    give the same diagnosis, up to rounding on every machine.

    Args:
        network: as :func:`tlcconvert.convert` takes it. It is not changed.
        images: one or several files, folders of files, or tensors [C, H, W] or [1, C, H, W] with the values the
            network takes. What cannot be used is in ``left_out`` of the result.
        train_size: height and width of the crops the network was trained on, in pixels; one number for both.
        base_ratio: window over training crop, per axis.
        input_channels: channels of the image; by default those of the first convolution.
        output_index: which of several outputs is the image, negative from the end.
        pixels: what the values of the image mean; by default what the network's file says, else black 0, white 1.
        report: called with what is being done and the share of all work that is done, 0 to 1.

    Raises:
        InputError: no image can be used, an argument is out of range, or the network is none of an image alone.
        CaptureError: no graph with symbolic sizes reproduces the network.
    """
    asked, options = as_asked(
        known(network),
        Options(
            train_size,
            base_ratio=base_ratio,
            input_channels=input_channels,
            output_index=output_index,
            pixels=pixels,
        ),
    )
    several = [images] if isinstance(images, (str, os.PathLike, Tensor)) else list(images)
    paths = [Path(image) for image in several if not isinstance(image, Tensor)]
    if paths:
        require_image_libraries()
    files, unusable = image_files(paths)
    found: list[Path | Tensor] = [*files, *(image for image in several if isinstance(image, Tensor))]
    refuse_no_images(found, unusable)
    with memory_named():
        refuse_routing(asked)
        return diagnose_begun(begin(asked, options), found, unusable, options, report)


def refuse_routing(network: Network) -> None:
    """A ClassSR has no statistic that is not one of a patch.

    Raises:
        InputError: ``network`` is one.
    """
    if isinstance(network.module, ClassSR):
        raise InputError(
            "A ClassSR runs on patches of the size it was trained on whatever the image: there is nothing to decide."
        )


def diagnose_begun(
    begun: Begun,
    images: Sequence[Path | Tensor],
    unusable: Sequence[UnusableImage],
    options: Options,
    report: Report | None = None,
) -> Diagnosis:
    """:func:`diagnose`, of a captured network, whose program stays as it is.

    Args:
        images: files and tensors.
        unusable: what was named beside them and is neither.
    """
    with begun.stages("diagnose"):
        subject = subject_of(begun, options)
        return diagnose_images(subject, images, unusable, report or (lambda text, share: None))
