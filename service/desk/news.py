"""What a batch's caller is told once clerks have decided all of it."""

from typing import Any

import sqlalchemy as sa

from service.desk.tables import desk_decisions
from service.jobs.store import Batch, Store


def decided(batch: Batch, store: Store) -> dict[str, Any]:
    """What the webhook says of a batch's decisions; nothing of a cheque."""
    query = (
        sa.select(desk_decisions.c.kind, sa.func.count())
        .where(desk_decisions.c.batch == batch.id, desk_decisions.c.withdrawn.is_(None))
        .group_by(desk_decisions.c.kind)
    )
    with store.engine.connect() as connection:
        counts = {kind: int(count) for kind, count in connection.execute(query)}
    return {
        "type": "batch.decided",
        "batch": batch.id,
        "reference": batch.options.reference,
        "items": batch.items,
        "decisions": counts,
    }
