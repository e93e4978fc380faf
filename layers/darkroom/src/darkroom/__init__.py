"""Darkroom makes the pictures of a mystery-game case, reliably and in the background."""

import gc

# Start-up makes some hundred thousand objects that all stay; to look through them again and again for
# garbage takes an eighth of it (bench/cold.py).
gc.set_threshold(50_000)
