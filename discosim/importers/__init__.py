"""Networks from files and other libraries: ONNX, torch, SCALE-Sim tables, our own JSON.

A front end reads a Program, in ONNX's vocabulary; `lower` writes the network, by the one operator
table in `ops`.
"""
