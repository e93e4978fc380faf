"""The HTTP layer of the functions behind the API."""
