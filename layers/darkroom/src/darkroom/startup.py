"""Start a function faster. Import this module before anything large, and call `done` at the end of the start.

A start makes a hundred thousand objects that live as long as the process. The garbage collector would examine
them again and again, for a tenth of the CPU. So it is off during the start, and ignores them afterwards.
"""

import gc

gc.disable()


def done() -> None:
    """End the start: all clients are made."""
    gc.freeze()
    gc.enable()
