"""Profiles: which studies a run covers, and how large they are."""
