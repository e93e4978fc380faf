"""The image providers: their requests, responses, errors and prices."""
