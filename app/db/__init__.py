"""Connections and units of work: when anything begins, is saved, or is undone."""
