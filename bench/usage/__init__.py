"""`make growth` and `make cost`: count a case's requests to AWS, and compute what they cost."""
