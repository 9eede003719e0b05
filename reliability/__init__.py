"""The reliability report: runs the proofs, adds what they came to, writes it down."""
