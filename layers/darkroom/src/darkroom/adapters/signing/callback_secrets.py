"""Each caller's secret for the signatures of its callbacks: made from one secret and the caller's name.

So nothing is kept for each caller, and a caller that leaks its secret endangers no other. The secret
is one or more keys separated by spaces, each of which gives one of the caller's: messages are signed
with all of them, so a key can be rotated without a gap.
"""

import base64
import hashlib
import hmac

from darkroom.adapters.secrets import Secret


class CallbackSecrets:
    """The secrets of one deployment's callers."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def of(self, caller: str) -> str:
        """`whsec_...`, several separated by spaces while the deployment's secret is being rotated."""
        made = (hmac.new(key.encode(), caller.encode(), hashlib.sha256) for key in self._secret().split())
        return " ".join("whsec_" + base64.b64encode(each.digest()).decode() for each in made)
