"""`make token`: make a bearer token for a caller, and its entry for the secret of tokens."""

import argparse
import json
import secrets

from darkroom.adapters.signing.api_tokens import digest, entry_faults


def main() -> None:
    """Print the token, which is stored nowhere, and the entry, which holds only its salted hash.

    Exit with code 2 when the authorizer would refuse the entry.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the caller in logs and for the daily limit")
    parser.add_argument("--scopes", default="submit read", help="one or more of: submit read operate")
    arguments = parser.parse_args()
    token, salt = secrets.token_urlsafe(32), secrets.token_hex(16)
    scopes = " ".join(arguments.scopes.split())
    entry = {"name": arguments.name, "scopes": scopes, "sha256": f"{salt}:{digest(salt, token)}"}
    if faults := entry_faults(entry):
        parser.error("; ".join(faults))
    print(f"The token, for the caller: {token}\nThe entry, for the list `callers` of the secret:")
    print(json.dumps(entry))


if __name__ == "__main__":
    main()
