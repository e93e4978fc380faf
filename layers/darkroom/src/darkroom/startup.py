"""The start of a function: imported before anything large, and told when it is over.

A start makes a hundred thousand objects that live as long as the process. The collector would look at
them again and again, for a tenth of the CPU; so it waits, and then leaves them alone.
"""

import gc

gc.disable()


def done() -> None:
    """The start is over: to be called when all clients are made."""
    gc.freeze()
    gc.enable()
