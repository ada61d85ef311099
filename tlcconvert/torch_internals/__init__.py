"""What reaches into PyTorch, onnxscript or spandrel behind their public names: one file each.

Each file says what it does, why, and on which lines of which version it stands; its test fails when the library no
longer needs it. Nowhere else is a private name of a library read.
"""
