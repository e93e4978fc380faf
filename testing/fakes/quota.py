"""The fake of the quota store."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.errors import Contention
from darkroom.domain.quota import Budget, Quota, QuotaState
from darkroom.domain.shot_errors import ShotError
from darkroom.ports import QuotaStore, StoredQuota


@dataclass
class MemoryQuota(QuotaStore):
    """A store of quotas and budgets in memory."""

    quotas: dict[str, tuple[int, Quota]] = field(default_factory=dict)
    budgets: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Name → version, micro-USD spent, and the time until which it is needed."""
    lost_writes: int = 0
    """Number of the next saves that fail because somebody else was faster."""
    error: ShotError | None = None
    loads: int = 0
    saves: int = 0

    @override
    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        self.loads += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        version, quota = self.quotas.get(image_model, (0, Quota()))
        kept = {name: self.budgets.get(name, (0, 0, 0)) for name in budgets}
        state = QuotaState(
            quota=quota,
            budgets=tuple(
                Budget(name=n, limit=limit, spent=kept[n][1], needed_until=kept[n][2])
                for n, limit in budgets.items()
            ),
        )
        return StoredQuota(
            image_model=image_model, state=state, versions=(version, *(v for v, _, _ in kept.values()))
        )

    @override
    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        self.saves += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        if self.lost_writes:
            self.lost_writes -= 1
            raise Contention("another worker was faster")
        quota_version, *budget_versions = stored.versions
        changed = [
            (budget, version)
            for old, budget, version in zip(stored.state.budgets, state.budgets, budget_versions, strict=True)
            if old != budget
        ]
        is_changed = state.quota != stored.state.quota
        if (is_changed and self.quotas.get(stored.image_model, (0, Quota()))[0] != quota_version) or any(
            self.budgets.get(budget.name, (0, 0, 0))[0] != version for budget, version in changed
        ):
            raise Contention("another worker was faster")
        if is_changed:
            self.quotas[stored.image_model] = quota_version + 1, state.quota
        for budget, version in changed:
            self.budgets[budget.name] = version + 1, budget.spent, budget.needed_until
