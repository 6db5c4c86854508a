"""Errors that more than one part of the pipeline raises."""


class TrialFailed(Exception):
    """A trial could not be trained; the message names the cause and the remedy."""


class NoModel(TrialFailed):
    """The weights of a pre-trained model are not at hand or not usable; the message says what to
    do.
    """
