"""Reads a ``.pt2`` file, an exported program, which runs code to load and is therefore read on request only.

``torch.export.load`` evaluates guards and size expressions as Python, writes the names in the file into source code
and unpickles objects.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.export import ExportedProgram

from tlcconvert.errors import InputError
from tlcconvert.load.zip_directory import ZipDirectory
from tlcconvert.machine.regular_file import open_regular
from tlcconvert.shown_name import shown, shown_text

_MARKS = ("archive_format", "archive_version", "serialized_exported_program.json")


def is_program_archive(archive: ZipDirectory) -> bool:
    """Whether ``archive`` is what ``torch.export.save`` or AOTInductor wrote, in any of their versions."""
    return any(
        name.rpartition("/")[2] in _MARKS or ("models/" in name and name.endswith(".json"))
        for name in archive.members
    )


def program_content(path: Path, *, allow_pickle: bool) -> ExportedProgram:
    """The program in the ``.pt2`` file at ``path``.

    Raises:
        InputError: ``allow_pickle`` is false, or the file holds no program that this version of torch reads.
    """
    if not allow_pickle:
        raise InputError(
            f"{shown(path)} is an exported program, and loading one can run code that is in it: if it is your own or "
            "you trust it, pass --allow-pickle (allow_pickle=True), else convert a state dict with --model."
        )
    try:
        with open_regular(path) as stream:
            return torch.export.load(stream)
    except Exception as error:
        raise InputError(
            f"{shown(path)} is damaged or no exported program of this version of torch: {shown_text(error)}."
        ) from error
