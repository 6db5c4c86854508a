"""Shared by `pytest claims` and `pytest tests`: ddiv's plugin and the fixtures."""

pytest_plugins = ["ddiv.plugin", "fixtures.trials", "fixtures.evidence"]
