"""SQL in, rows out. Repositories neither commit nor decide."""
