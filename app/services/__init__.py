"""Use cases: one module a noun, one plain function a use case."""
