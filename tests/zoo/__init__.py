"""Public architectures as torch modules, untrained: what the importers are tried on.

Layers are named as the source that a module's docstring names does, where it is one of ours too.
"""
