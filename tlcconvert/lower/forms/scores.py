"""From the scores of an attention to its matrix, in standard ONNX operators."""

from __future__ import annotations

from onnxscript import ir

from tlcconvert.lower.forms.opset import op


def scaled(scores: ir.Value, temperature: ir.Value | None, scale: float) -> ir.Value:
    """Scores [..., N, heads, c_q, c_k] times ``scale`` and ``temperature``, which broadcasts to them."""
    if scale != 1.0:
        scores = op.Mul(scores, op.Constant(value_float=scale))
    return scores if temperature is None else op.Mul(scores, temperature)


def activated(scores: ir.Value, activation: str) -> ir.Value:
    """``"softmax"`` over c_k, ``"relu"`` or ``"identity"``."""
    if activation == "softmax":
        return op.Softmax(scores, axis=-1)
    return op.Relu(scores) if activation == "relu" else scores
