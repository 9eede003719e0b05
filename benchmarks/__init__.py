"""The benchmark: this service beside its own framework, a plain version of itself, and bare databases."""
