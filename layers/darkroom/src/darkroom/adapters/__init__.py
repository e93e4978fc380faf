"""How Darkroom reaches the outside, one outside thing a file."""
