"""Errors that more than one part of the pipeline raises."""

from __future__ import annotations


class TrialFailed(Exception):
    """A trial could not be trained; the message names the cause and the remedy."""


class NoModel(TrialFailed):
    """A pre-trained model's weights are missing or unusable; the message says what to do."""
