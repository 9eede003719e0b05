"""Version 1 of the API: one router file a noun."""
