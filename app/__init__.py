"""banking-service: a self-hosted core-banking REST API."""

__version__ = "0.1.0"
