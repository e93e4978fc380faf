"""The use cases: one verb a file, each serves one request. They know the outside only by the ports."""
