"""ONNX files, read as a Program."""
