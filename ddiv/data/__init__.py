"""Data: embedded worlds drawn by code, published datasets, and the user's own files."""
