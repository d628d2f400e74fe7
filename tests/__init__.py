"""One package, whatever else is called so on the machine."""
