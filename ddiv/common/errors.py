"""Errors that more than one part of the pipeline raises."""

from __future__ import annotations

import errno


class TrialFailed(Exception):
    """A trial could not be trained; the message names the cause and the remedy."""


class NoModel(TrialFailed):
    """A pre-trained model's weights are missing or unusable; the message says what to do."""


class NotWritten(OSError):
    """A file that somebody asked for could not be written.

    The message names the file, the cause and the remedy.
    """


def cause(error: OSError) -> str:
    """What the system says of an error, without number and path."""
    return error.strerror or str(error) or type(error).__name__


def remedy(error: OSError) -> str:
    """What helps against an error of the file system, as the beginning of a sentence."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "Free some space"
        case errno.EFBIG:
            return "Raise the limit on the size of files (ulimit -f)"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "Make it writable"
        case errno.EIO | errno.ESTALE:
            return "Look at the disk"
        case errno.EISDIR:
            return "Name a file, not a folder"
        case errno.EEXIST | errno.ENOTDIR:
            return "Move away the file that lies where a folder is needed"
        case errno.ENOLCK | errno.ENOSYS | errno.EOPNOTSUPP:
            return "Put it on a file system with locks (a local disk, NFS with its lock service)"
        case errno.EMFILE | errno.ENFILE:
            return "Raise the limit on open files (ulimit -n)"
        case _:
            return "Look at the disk and at its permissions"
