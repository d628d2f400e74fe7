"""A Program in ONNX's vocabulary, written as a network by one operator table."""
