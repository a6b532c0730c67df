"""On whose behalf a request is made, hop by hop."""

from datetime import UTC as UTC
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


def _now() -> datetime:
    return datetime.now(UTC)


class DelegationHop(BaseModel):
    """One subject acting for the one before."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    subject_id: str
    subject_type: str
    audience: str | None = None
    scopes_granted: tuple[str, ...] = ()
    timestamp: datetime = Field(default_factory=_now)
    ttl_seconds: int | None = None
    strategy: str | None = None
    from_cache: bool = False


class DelegationExtension(BaseModel):
    """The chain of delegation. Only ever grows: see ``with_new_hop``."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    chain: tuple[DelegationHop, ...] = ()
    depth: int = 0
    origin_subject_id: str | None = None
    actor_subject_id: str | None = None
    delegated: bool = False
    age_seconds: float = 0.0

    def with_new_hop(self, hop: DelegationHop) -> "DelegationExtension":
        """Adds a hop.

        Args:
            hop: Who acts from now on.

        Returns:
            A new chain; its age is that of the first hop.
        """
        age = (_now() - self.chain[0].timestamp).total_seconds() if self.chain else 0.0
        return DelegationExtension(
            chain=(*self.chain, hop),
            depth=len(self.chain) + 1,
            origin_subject_id=self.origin_subject_id or hop.subject_id,
            actor_subject_id=hop.subject_id,
            delegated=True,
            age_seconds=age,
        )
