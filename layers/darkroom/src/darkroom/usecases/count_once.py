"""Count a request to the daily limit of its caller once, however often its decision is repeated."""

from dataclasses import dataclass, field

from darkroom.ports import DailyLimit


@dataclass(kw_only=True)
class CountOnce:
    """The count of one request. A decision whose write was lost is made again, and must not count again."""

    daily_limit: DailyLimit
    _counted: bool = field(default=False, init=False)

    def __call__(self, caller: str, now: int) -> None:
        """Count one case of `caller` unless this request was counted; raise DailyLimitReached."""
        if not self._counted:
            self.daily_limit.take(caller, now)
            self._counted = True
