"""Derive each caller's secret for signed callbacks from the deployment's secret and the caller's name.

So nothing is stored for each caller, and a caller that leaks its secret endangers no other. The deployment's
secret is one or more keys separated by spaces. Each gives the caller one key. Messages are signed with all of
them, so a key can be rotated without a gap.
"""

import base64
import hashlib
import hmac

from darkroom.adapters.secrets import Secret


class CallbackSecrets:
    """Derive the secrets of one deployment's callers."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def of(self, caller: str) -> str:
        """Return the caller's keys, `whsec_...`: several, separated by spaces, during a rotation."""
        digests = (hmac.new(key.encode(), caller.encode(), hashlib.sha256) for key in self._secret().split())
        return " ".join("whsec_" + base64.b64encode(each.digest()).decode() for each in digests)
