"""Worlds that the project's own code draws: images of shapes, letters of complaint."""
