"""The error of captures, in a module that loads nothing else."""


class CaptureError(Exception):
    """A capture that cannot be written or replayed; the message is for the user."""
