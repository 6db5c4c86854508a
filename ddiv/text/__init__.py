"""Texts: augmentation, checks, and how records hold them."""
