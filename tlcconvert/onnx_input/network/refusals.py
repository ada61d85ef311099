"""Everything in a file that cannot be computed, in one sentence before anything runs."""

from __future__ import annotations

from onnx import GraphProto

from tlcconvert.errors import InputError
from tlcconvert.onnx_input.network.attributes import node_of
from tlcconvert.onnx_input.operators import OPERATORS, refusal_of
from tlcconvert.onnx_input.reading.model_file import counted, every_node, kind_of
from tlcconvert.shown_name import shown

_READ_OTHERWISE = {"Constant", "If"}


def refuse_what_is_not_computed(graph: GraphProto, opsets: dict[str, int]) -> None:
    """
    Raises:
        InputError: operators are not known, or are used in a way that is not computed; it names all of them.
    """
    unknown = [kind_of(node) for node in every_node(graph) if not _is_known(kind_of(node))]
    if unknown:
        raise InputError(f"The ONNX file has operators that are not computed: {counted(unknown)}.")
    reasons = []
    for proto in every_node(graph):
        if kind_of(proto) in _READ_OTHERWISE:
            continue
        node = node_of(proto, proto.name or proto.op_type, opsets)
        reason = refusal_of(node)
        if reason:
            reasons.append(f"{node.kind} {shown(node.name)}: {reason}")
    if reasons:
        more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        raise InputError(f"The ONNX file has nodes that are not computed: {'; '.join(reasons[:5])}{more}.")


def _is_known(kind: str) -> bool:
    return kind in OPERATORS or kind in _READ_OTHERWISE
