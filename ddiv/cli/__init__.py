"""The command `ddiv`."""
