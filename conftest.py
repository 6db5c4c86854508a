"""Everything that `pytest claims` and `pytest tests` share: ddiv's plugin and the shared fixtures."""

pytest_plugins = ["ddiv.plugin", "fixtures.trials", "fixtures.evidence"]
