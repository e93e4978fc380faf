"""Count a request to its caller's daily limit once, even if the decision about it is repeated."""

from dataclasses import dataclass, field

from darkroom.ports import DailyLimit


@dataclass(kw_only=True)
class CountOnce:
    """The count of one request. A decision whose write was lost is repeated and must not count twice."""

    daily_limit: DailyLimit
    _counted: bool = field(default=False, init=False)

    def __call__(self, caller: str, now: int) -> None:
        """Count one case of `caller` unless this request was counted; raise DailyLimitReached."""
        if not self._counted:
            self.daily_limit.take(caller, now)
            self._counted = True
