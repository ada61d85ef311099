"""Names of a file as paths of modules: ``encoders.0.conv`` is module ``conv`` of module ``0`` of ``encoders``."""

from __future__ import annotations

import re

from torch import Tensor, nn

_MOST = 200


class ModuleNames:
    """Registers modules and tensors with a network under the names they have in a file."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def add_module(self, name: str, module: nn.Module) -> str:
        """Registers ``module``; returns its path, which is ``name`` unless that is taken or no path."""
        holder, leaf, path = self._free(name)
        holder.add_module(leaf, module)
        return path

    def add_tensor(self, name: str, tensor: Tensor) -> str:
        """Registers ``tensor``, a parameter where it is floating point; returns its path."""
        holder, leaf, path = self._free(name)
        if tensor.is_floating_point():
            holder.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
        else:
            holder.register_buffer(leaf, tensor)
        return path

    def _free(self, name: str) -> tuple[nn.Module, str, str]:
        parts = [part for part in re.split(r"\.+", name[:_MOST]) if part] or ["unnamed"]
        holder: nn.Module = self._network
        for part in parts[:-1]:
            inner = dict(holder.named_children()).get(part)
            if inner is None:
                if hasattr(holder, part):
                    return self._flat(name)
                inner = nn.Module()
                holder.add_module(part, inner)
            holder = inner
        if hasattr(holder, parts[-1]):
            return self._flat(name)
        return holder, parts[-1], ".".join(parts)

    def _flat(self, name: str) -> tuple[nn.Module, str, str]:
        """A name of its own at the root."""
        stem = name[:_MOST].replace(".", "_") or "unnamed"
        number = 1
        while hasattr(self._network, f"{stem}_{number}"):
            number += 1
        return self._network, f"{stem}_{number}", f"{stem}_{number}"
