"""From an ONNX file to a network that computes it node by node in PyTorch."""
