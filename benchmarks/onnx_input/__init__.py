"""What comes of converting the ONNX export of a network, against converting the network."""
