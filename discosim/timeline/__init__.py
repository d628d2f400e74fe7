"""A plan event by event: what each node and each link does when."""
