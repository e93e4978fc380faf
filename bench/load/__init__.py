"""`make load` and `make soak`: run many cases on the local stack."""
