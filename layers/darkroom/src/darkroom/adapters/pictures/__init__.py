"""The picture path: from a provider's bytes to a JPEG of the right size."""
