"""`make bench`: compare the worker with the algorithm that it replaces, the baseline."""
