"""How Darkroom reaches the outside: one file for each thing outside."""
