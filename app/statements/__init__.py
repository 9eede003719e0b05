"""Statements as files: what is on one (`statement`), and one module for each format.

A format takes a head and an iterator of lines and makes text of them, piece by piece; it knows neither the
database nor HTTP.
"""
