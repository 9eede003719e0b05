"""A story that a client of the service lives through: `make demo`."""
