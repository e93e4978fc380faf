"""The JSON that functions receive and send: camelCase names, validated when it is received.

An unknown field in a caller's request is an error, so that a misspelt name is noticed. Unknown fields in
events and snapshots between our own functions are ignored, because old and new versions of the functions
run at the same time during a deployment.
"""
