"""Running a model in onnxruntime against PyTorch."""
