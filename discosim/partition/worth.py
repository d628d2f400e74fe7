"""What it is worth to send less and compute more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worth:
    """Seconds of an element that a node sends, of a message, and of a MAC that it repeats.

    one_medium: all nodes wait for what each one sends, while they repeat work at the same time.
    """

    element_s: float
    message_s: float
    mac_s: float
    one_medium: bool = False
