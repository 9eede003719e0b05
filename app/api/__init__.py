"""HTTP: routes, the order of refusals, errors and headers. The only layer that knows it."""
