"""Image and text data made by the project's own code."""
