"""Operators whose ONNX form is faster in a loop over parts of the map, for runtimes that run loops well."""
