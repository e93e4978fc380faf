"""`make fleet`: simulate thousands of cases a minute on a virtual clock."""
