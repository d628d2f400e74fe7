"""torch modules, traced and read as a Program."""
