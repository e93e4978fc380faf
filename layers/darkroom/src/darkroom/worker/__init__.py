"""The engine of one run: make the pictures of a case and report them as they come."""
