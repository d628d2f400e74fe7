"""The door: one function a command, from what people give to an Answer.

One order of arguments: network, hardware, then keywords; quantities as numbers in SI or as text.
"""
