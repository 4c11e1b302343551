"""What can go wrong: every error states the fact, the limit and the remedy, and its class says what to do next."""


class StillskyError(Exception):
    """Anything stillsky can explain to its user; may get better when tried again (a busy disk, a missing mount)."""


class Hopeless(StillskyError):
    """Trying again cannot help: a broken capture, a wrong setting. Never retried."""


class NothingToDo(StillskyError):
    """Not a failure: there is nothing here to work on. The capture is skipped."""


class Unsettled(NothingToDo):
    """The capture is still being written, or was replaced while it was read: its turn comes later."""


class BadCapture(Hopeless):
    """The capture cannot be read as what it claims to be."""


class StoreError(StillskyError):
    """The store cannot be read or written: permissions, a full disk, a foreign file."""
