"""The tables of the desk, beside those of batches and in the same database."""

from typing import Any, Final

import sqlalchemy as sa

from service.jobs.tables import batches, metadata, number_of_item, of_a_batch


def _said() -> tuple[sa.Column[Any], ...]:
    """What a clerk says of an item: an amount, or why there is none."""
    return (
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
    )


evidence: Final = sa.Table(
    "cheque_evidence",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("evidence", sa.JSON, nullable=False),
    comment="What the readings of items rest on",
)

desk_batches: Final = sa.Table(
    "cheque_desk_batches",
    metadata,
    of_a_batch(),
    sa.Column("queue", sa.String(64), nullable=False),
    sa.Column("told", sa.Boolean, nullable=False, comment="the webhook of its decisions is queued"),
    comment="Batches whose rejected items go to the desk",
)

desk_items: Final = sa.Table(
    "cheque_desk_items",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("queue", sa.String(64), nullable=False),
    sa.Column("reason", sa.String(16), nullable=False, comment="rejected, audit"),
    sa.Column("source", sa.String(200), nullable=False, comment="owner of the batch"),
    sa.Column("amount", sa.BigInteger, nullable=False, comment="the best guess, to sort by"),
    sa.Column("entered", sa.Float, nullable=False, comment="seconds since 1970"),
    sa.Column("keyings", sa.Integer, nullable=False, comment="how many clerks must agree"),
    sa.Column("state", sa.String(16), nullable=False, comment="waiting, decided"),
    sa.Column("decided", sa.Float, nullable=True),
    sa.Column("settled", sa.Boolean, nullable=False, comment="too late to undo; in the sample"),
    sa.Column("holder", sa.String(100), nullable=True, comment="who has it, while leased"),
    sa.Column("lease", sa.String(64), nullable=True),
    sa.Column("until", sa.Float, nullable=False, comment="end of the lease; 0: none"),
    sa.Index("cheque_desk_items_oldest", "state", "queue", "entered"),
    sa.Index("cheque_desk_items_largest", "state", "queue", "amount"),
    sa.Index("cheque_desk_items_settled", "state", "settled", "decided"),
)

desk_keyings: Final = sa.Table(
    "cheque_desk_keyings",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("batch", sa.String(64), sa.ForeignKey(batches.c.id, ondelete="CASCADE")),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("lease", sa.String(64), nullable=False, unique=True),
    sa.Column("member", sa.String(100), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    *_said(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("undone", sa.Float, nullable=True),
    sa.Index("cheque_desk_keyings_item", "batch", "number"),
    comment="What clerks keyed; a row never changes, but that it may be undone",
)

desk_decisions: Final = sa.Table(
    "cheque_desk_decisions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="that of the keying that decided"),
    sa.Column("batch", sa.String(64), sa.ForeignKey(batches.c.id, ondelete="CASCADE")),
    sa.Column("number", sa.Integer, nullable=False),
    *_said(),
    sa.Column("clerks", sa.JSON, nullable=False, comment="names of those who agree"),
    sa.Column("reading_sha256", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("withdrawn", sa.Float, nullable=True),
    sa.Index("cheque_desk_decisions_item", "batch", "number"),
    comment="What became of items: a second record beside the reading, which stays as it was",
)

desk_skips: Final = sa.Table(
    "cheque_desk_skips",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("member", sa.String(100), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)

desk_clerks: Final = sa.Table(
    "cheque_desk_clerks",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("password", sa.String(200), nullable=False, comment="scrypt: parameters, salt, hash"),
    sa.Column("lead", sa.Boolean, nullable=False, comment="may see the dashboard"),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("removed", sa.Float, nullable=True),
    sa.Column("failures", sa.Integer, nullable=False, comment="wrong passwords in a row"),
    sa.Column("locked", sa.Float, nullable=False, comment="no sign-in before then"),
    sa.Index(
        "cheque_desk_clerks_in_use",
        "name",
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    ),
)

desk_grants: Final = sa.Table(
    "cheque_desk_grants",
    metadata,
    sa.Column("member", sa.String(100), primary_key=True, comment="clerk:ID or key:ID"),
    sa.Column("queue", sa.String(64), primary_key=True),
)

desk_sessions: Final = sa.Table(
    "cheque_desk_sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="SHA-256 of what the cookie holds"),
    sa.Column(
        "clerk", sa.String(64), sa.ForeignKey(desk_clerks.c.id, ondelete="CASCADE"), nullable=False
    ),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
)

desk_outcomes: Final = sa.Table(
    "cheque_desk_outcomes",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="that of the decision"),
    sa.Column("day", sa.String(10), nullable=False, comment="on which the item came, UTC"),
    sa.Column("source", sa.String(200), nullable=False),
    sa.Column("model", sa.String(100), nullable=False),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("agrees", sa.Boolean, nullable=False, comment="with the amount that was read"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("cheque_desk_outcomes_day", "day"),
    comment="For the dashboard: how readings fared, without anything of a cheque",
)

desk_counts: Final = sa.Table(
    "cheque_desk_counts",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("source", sa.String(200), primary_key=True),
    sa.Column("model", sa.String(100), primary_key=True),
    sa.Column("field_only", sa.Boolean, primary_key=True),
    sa.Column("result", sa.String(64), primary_key=True, comment="accept, or the reject reason"),
    sa.Column("bin", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    comment="For the dashboard: readings counted by confidence, see service.desk.counts",
)

desk_sample: Final = sa.Table(
    "cheque_desk_sample",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="that of the decision"),
    sa.Column("batch", sa.String(64), nullable=False, index=True),
    sa.Column("body", sa.String(64), nullable=False, comment="file that holds the image"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("suffix", sa.String(8), nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=True, comment="null: nothing to accept"),
    sa.Column("currency", sa.String(3), nullable=True),
    sa.Column("field_only", sa.Boolean, nullable=False),
    sa.Column("asked_currency", sa.String(3), nullable=True, comment="that the caller stated"),
    sa.Column("locale", sa.String(16), nullable=True),
    sa.Column("reason", sa.String(16), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    comment="Keyed cheques that outlive their batches, to calibrate and train on",
)
