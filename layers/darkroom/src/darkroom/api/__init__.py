"""The HTTP edge: what only functions behind the API need."""
