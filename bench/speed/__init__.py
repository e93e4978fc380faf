"""The worker against the algorithm that it replaces."""
