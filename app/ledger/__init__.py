"""The ledger: the only place that moves money.

`commands` say what is asked for, `rules` decide over `states` in memory, `posting` brings the two
together with the database, a batch at a time.
"""
