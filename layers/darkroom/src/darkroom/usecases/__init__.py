"""What Darkroom does, one verb a file, written against the ports."""
