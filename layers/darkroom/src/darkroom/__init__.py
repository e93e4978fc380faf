"""Darkroom makes the pictures of a mystery-game case, reliably and in the background."""
