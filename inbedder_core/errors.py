"""Exceptions whose messages are written for the person who reads them.

Every message says what was received, what is allowed and what to do, and never quotes a whole
text: it may be shown on the page as it is.
"""


class InBedderError(Exception):
    """Base of every error raised on purpose; the message may be shown to users."""


class InputError(InBedderError, ValueError):
    """The texts, the instructions or a setting can't be used as given."""


class CheckpointError(InBedderError):
    """A checkpoint is unknown, not allowed, unreachable or of an architecture we don't read."""


class Cancelled(InBedderError):
    """The caller asked to stop; nothing was changed."""
