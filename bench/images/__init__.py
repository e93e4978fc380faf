"""`make bench`: measure the CPU time and the quality of processing a picture."""
