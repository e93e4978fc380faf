"""The picture path: its CPU time and its loss."""
