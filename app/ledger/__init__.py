"""The posting engine: the only code that will move money."""
