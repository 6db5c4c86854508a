"""Models of the embedded profile, built and pre-trained by the project itself."""
