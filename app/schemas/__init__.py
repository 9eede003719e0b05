"""JSON in and out: the shapes of requests and responses."""
