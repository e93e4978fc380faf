"""Turn a provider's bytes into a JPEG of the right size."""
