"""Numbers for people: frames, tables, pictures."""
