"""Keyed cheques as a labelled sample, with a retention of its own."""

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from service.desk.tables import desk_decisions, desk_items, desk_sample
from service.errors import InputError
from service.jobs.bodies import Bodies
from service.jobs.store import Store
from service.jobs.tables import batches, items

_AT_ONCE: Final = 100
_SUFFIXES: Final = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"II*", ".tif"), (b"MM", ".tif"))
# What the other kinds say leaves open which amount the figures show.
_LABELLED: Final = ("amount", "not_a_cheque")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A keyed cheque; amount_minor: None where nothing may be accepted. body: its file's name.

    asked_currency, locale: that its caller stated.
    """

    id: str
    body: str
    size: int
    suffix: str
    amount_minor: int | None
    currency: str | None
    field_only: bool
    asked_currency: str | None
    locale: str | None
    reason: str
    at: float


class Sample:
    """The sample; days: how long a cheque stays in it, 0: none ever enters."""

    def __init__(self, store: Store, bodies: Bodies, *, days: float) -> None:
        self._store = store
        self._bodies = bodies
        self._days = days

    def settle(self, before: float) -> int:
        """Make decisions final that were made before a moment, and copy what they label.

        Returns how many. Safe to be done by several processes at once.
        """
        query = (
            sa.select(
                desk_decisions,
                desk_items.c.reason,
                items.c.start,
                items.c.size,
                batches.c.body,
                batches.c.options,
            )
            .join(desk_items, _same(desk_decisions, desk_items))
            .join(items, _same(desk_decisions, items))
            .join(batches, batches.c.id == desk_decisions.c.batch)
            .where(
                desk_items.c.state == "decided",
                ~desk_items.c.settled,
                desk_items.c.decided < before,
                desk_decisions.c.withdrawn.is_(None),
            )
            .limit(_AT_ONCE)
        )
        with self._store.engine.connect() as connection:
            rows = connection.execute(query).all()
        return sum(self._settle(row) for row in rows)

    def _settle(self, row: Any) -> bool:
        body = None
        if self._days > 0 and row.kind in _LABELLED:
            body = self._copied(row)
        with self._store.begin() as connection:
            done = connection.execute(
                desk_items.update()
                .where(
                    desk_items.c.batch == row.batch,
                    desk_items.c.number == row.number,
                    desk_items.c.state == "decided",
                    ~desk_items.c.settled,
                )
                .values(settled=True)
            )
            if done.rowcount and body is not None:
                connection.execute(
                    desk_sample.insert(),
                    {
                        "id": row.id,
                        "batch": row.batch,
                        "body": body[0],
                        "size": row.size,
                        "suffix": body[1],
                        "amount_minor": row.amount_minor,
                        "currency": row.currency,
                        "field_only": bool(row.options["field_only"]),
                        "asked_currency": row.options["currency"],
                        "locale": row.options["locale"],
                        "reason": row.reason,
                        "at": row.at,
                    },
                )
        if not done.rowcount and body is not None:
            self._bodies.remove(body[0])
        return bool(done.rowcount)

    def _copied(self, row: Any) -> tuple[str, str] | None:
        """A copy of an item's image: its name and suffix; None where the image is gone."""
        data = self._bodies.read(row.body, row.start, row.size)
        if data is None:
            return None
        suffix = next((kind for head, kind in _SUFFIXES if data.startswith(head)), None)
        if suffix is None:
            return None
        self._bodies.check_space(len(data))
        name, file = self._bodies.create()
        with file:
            file.write(data)
            self._bodies.keep(name, file)
        return name, suffix

    def all(self, *, field_only: bool | None = None) -> list[Labelled]:
        """The sample, oldest first; field_only: cropped amounts alone, or whole images."""
        query = desk_sample.select().order_by(desk_sample.c.at, desk_sample.c.id)
        if field_only is not None:
            query = query.where(desk_sample.c.field_only == field_only)
        with self._store.engine.connect() as connection:
            return [
                Labelled(
                    row.id, row.body, row.size, row.suffix, row.amount_minor, row.currency,
                    row.field_only, row.asked_currency, row.locale, row.reason, row.at,
                )
                for row in connection.execute(query)
            ]  # fmt: skip

    def image(self, one: Labelled) -> bytes | None:
        """The image of a keyed cheque; None where it is gone."""
        return self._bodies.read(one.body, 0, one.size)

    def export(self, to: Path, *, field_only: bool) -> int:
        """Write truth.csv and the images it lists into a new folder; returns how many.

        `calibrate` and the training package read such a folder. Raises InputError.
        """
        rows = self.all(field_only=field_only)
        if not rows:
            raise InputError("empty_sample", "the desk has kept no such cheques")
        try:
            to.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise InputError("not_written", f"{to} is there already") from None
        except OSError as error:
            raise InputError("not_written", f"{to} can't be made: {error.strerror}") from None
        with (to / "truth.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("file", "amount_minor", "currency", "reason"))
            count = 0
            for name, one in self._images(rows, to):
                amount = "" if one.amount_minor is None else one.amount_minor
                table.writerow((name, amount, one.currency or "", one.reason))
                count += 1
        return count

    def _images(self, rows: Sequence[Labelled], to: Path) -> Iterator[tuple[str, Labelled]]:
        for one in rows:
            data = self.image(one)
            if data is None:
                continue
            name = f"{one.id}{one.suffix}"
            (to / name).write_bytes(data)
            yield name, one

    def bodies(self, names: Sequence[str]) -> set[str]:
        """Those of some names of files that belong to the sample."""
        query = sa.select(desk_sample.c.body).where(desk_sample.c.body.in_(names))
        with self._store.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def forget(self, batch: str) -> None:
        """Remove what came of a batch that its owner has removed."""
        self._remove(desk_sample.c.batch == batch)

    def expire(self) -> None:
        """Remove what has been in the sample for its days."""
        self._remove(desk_sample.c.at < time.time() - self._days * 86400)

    def _remove(self, condition: sa.ColumnElement[bool]) -> None:
        with self._store.engine.connect() as connection:
            rows = connection.execute(desk_sample.select().where(condition)).all()
        for row in rows:
            self._bodies.remove(row.body)
            with self._store.begin() as connection:
                connection.execute(desk_sample.delete().where(desk_sample.c.id == row.id))


def _same(one: sa.Table, other: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(one.c.batch == other.c.batch, one.c.number == other.c.number)
