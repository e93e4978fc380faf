"""Count a request to the daily limit once, however often its decision is made anew."""

from dataclasses import dataclass, field

from darkroom.ports import DailyLimit


@dataclass(kw_only=True)
class CountOnce:
    """One request of a caller. A decision that lost its write is made again, and must not count again."""

    daily_limit: DailyLimit
    _counted: bool = field(default=False, init=False)

    def __call__(self, caller: str, now: int) -> None:
        """Count one case of `caller`, unless this request has counted; raises DailyLimitReached."""
        if not self._counted:
            self.daily_limit.take(caller, now)
            self._counted = True
