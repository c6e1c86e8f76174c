"""Queues, leases, keyings and decisions, on a database of the test's own."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.desk.entrance import Entrance
from service.desk.members import Member
from service.desk.review import Desk, Leased, Said
from service.desk.room import Room
from service.desk.tables import desk_items
from service.errors import InputError, LeaseError, ParameterError
from service.jobs.bodies import Bodies, Folder
from service.jobs.store import NewBatch, NewItem, Outcome, Store
from service.jobs.tables import metadata, open_database, schema, sqlite_url
from service.options import ReadingOptions
from service.settings import Settings

POSTGRES = os.environ.get("CHEQUE_TEST_POSTGRES", "")


def _member(name: str, *queues: str) -> Member:
    return Member(f"clerk:{name}", name, f"clerk:{name}/1", frozenset(queues) or None, lead=False)


ANNA, BEN, CARL = _member("anna"), _member("ben"), _member("carl")


def _reading(amount: int, *, accepted: bool = False) -> dict[str, Any]:
    return {
        "amount_minor": amount,
        "currency": "USD",
        "confidence": 0.5,
        "reject_reason": None if accepted else "low_confidence",
        "model_version": "m/1",
        "alternatives": [],
    }


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(
                not POSTGRES, reason="CHEQUE_TEST_POSTGRES names no PostgreSQL"
            ),
        ),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with empty tables."""
    made = Store(open_database(POSTGRES if request.param == "postgresql" else sqlite_url(tmp_path)))
    with made.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not schema:
                connection.execute(table.delete())
    yield made
    made.engine.dispose()


@pytest.fixture
def bodies(tmp_path: Path) -> Bodies:
    return Folder(tmp_path / "images", reserve=0)


def _room(store: Store, bodies: Bodies, **settings: Any) -> Room:
    return Room(Settings(**settings), store, bodies)


def _submit(
    store: Store,
    entrance: Entrance,
    bodies: Bodies,
    amounts: list[int],
    *,
    id: str = "b1",
    queue: str | None = "default",
    accepted: bool = False,
    image: bytes = b"\x89PNG image",
) -> None:
    """A batch with an item for each amount, all of them read."""
    name, file = bodies.create()
    file.write(image)
    file.close()
    with store.begin() as connection:
        new = NewBatch(id, "key1", ReadingOptions(), name, None, 20)
        items = [NewItem(None, None, 0, len(image)) for _ in amounts]
        batch, _ = store.accept(new, items, connection)
        if queue is not None:
            entrance.open(connection, id, queue)
    for number, amount in enumerate(amounts):
        state: Any = "accepted" if accepted else "rejected"
        outcome = Outcome(state, _reading(amount, accepted=accepted), None, {"digest": "d"})
        assert store.record(
            id,
            {number: outcome},
            lambda c, n, o=outcome: entrance.record(c, batch, n, o),  # type: ignore[misc]
        )
    store.complete(id)


def _take(desk: Desk, member: Member, most: int = 1, **given: Any) -> list[Leased]:
    return desk.take(member, **{"queue": None, "order": "oldest", **given}, most=most)


def _amount(minor: int) -> Said:
    return Said("amount", minor, "USD")


def test_the_oldest_or_the_largest_comes_first(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [300, 900, 100])
    assert [one.number for one in _take(room.desk, ANNA, order="largest")] == [1]
    assert [one.number for one in _take(room.desk, BEN, most=5)] == [0, 2]
    assert _take(room.desk, CARL) == []


def test_a_lease_that_is_not_renewed_ends(store: Store, bodies: Bodies) -> None:
    now = time.time()
    desk = Desk(store, lease=60, keyings=1, clock=lambda: now)
    _submit(store, _room(store, bodies).entrance, bodies, [100])
    (mine,) = _take(desk, ANNA)
    assert _take(desk, BEN) == []
    assert desk.renew(ANNA, [mine.lease]) == [mine.lease]
    assert desk.renew(BEN, [mine.lease]) == []
    now += 61
    (bens,) = _take(desk, BEN)
    assert desk.renew(ANNA, [mine.lease]) == []
    with pytest.raises(LeaseError):
        desk.key(ANNA, "b1", 0, mine.lease, _amount(100))
    assert desk.key(BEN, "b1", 0, bens.lease, _amount(100)).decision is not None


def test_what_is_given_back_is_free(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100, 200])
    leased = _take(room.desk, ANNA, most=2)
    room.desk.release(BEN, [one.lease for one in leased])
    assert _take(room.desk, BEN) == []
    room.desk.release(ANNA, [leased[0].lease])
    assert [one.number for one in _take(room.desk, BEN, most=2)] == [0]
    room.desk.release_all(ANNA)
    assert [one.number for one in _take(room.desk, BEN, most=2)] == [1]


def test_nobody_hoards(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100] * 15)
    assert len(_take(room.desk, ANNA, most=8)) == 8
    assert len(_take(room.desk, ANNA, most=8)) == 2
    assert _take(room.desk, ANNA) == []


def test_members_see_their_queues_alone(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100], id="b1", queue="large")
    _submit(store, room.entrance, bodies, [200], id="b2", queue="small")
    _submit(store, room.entrance, bodies, [300], id="b3", queue=None)
    dora = _member("dora", "small", "empty")
    assert room.desk.waiting(dora) == {"empty": 0, "small": 1}
    assert room.desk.waiting(ANNA) == {"large": 1, "small": 1}
    assert _take(room.desk, dora, queue="large") == []
    assert [one.batch for one in _take(room.desk, dora, most=5)] == ["b2"]
    assert room.desk.look(dora, "b1", 0) is None
    assert room.desk.look(dora, "b2", 0) is not None
    assert room.progress("b3") is None


def test_a_keying_is_written_once_however_often_it_is_sent(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    first = room.desk.key(ANNA, "b1", 0, item.lease, _amount(150))
    assert room.desk.key(ANNA, "b1", 0, item.lease, _amount(150)) == first
    with pytest.raises(LeaseError):
        room.desk.key(ANNA, "b1", 0, item.lease, _amount(151))
    decision = room.desk.decisions("b1", [0])[0]
    assert decision == first.decision
    assert decision.said == _amount(150)
    assert decision.clerks == ("anna",)
    page = store.page(store.batch("b1"), after=-1, limit=5)  # type: ignore[arg-type]
    assert page[0].state == "rejected"
    assert page[0].reading == _reading(100)


def test_two_who_agree_decide(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies, desk_keyings=2)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    assert room.desk.key(ANNA, "b1", 0, item.lease, _amount(100)).decision is None
    assert _take(room.desk, ANNA) == []
    (item,) = _take(room.desk, BEN)
    decision = room.desk.key(BEN, "b1", 0, item.lease, _amount(100)).decision
    assert decision is not None
    assert decision.clerks == ("anna", "ben")


@pytest.mark.parametrize(
    ("third", "agree"), [(100, ("anna", "carl")), (300, ("carl",)), (200, ("ben", "carl"))]
)
def test_where_two_differ_a_third_decides(
    store: Store, bodies: Bodies, third: int, agree: tuple[str, ...]
) -> None:
    room = _room(store, bodies, desk_keyings=2)
    _submit(store, room.entrance, bodies, [100])
    for member, amount in ((ANNA, 100), (BEN, 200), (CARL, third)):
        (item,) = _take(room.desk, member)
        keyed = room.desk.key(member, "b1", 0, item.lease, _amount(amount))
        assert (keyed.decision is not None) == (member is CARL)
    assert keyed.decision is not None
    assert keyed.decision.said == _amount(third)
    assert keyed.decision.clerks == agree
    assert room.progress("b1") == (0, 1)


def test_undo_takes_a_keying_back_and_leaves_its_trace(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    keyed = room.desk.key(ANNA, "b1", 0, item.lease, _amount(999))
    with pytest.raises(LeaseError):
        room.desk.undo(BEN, keyed.id)
    again = room.desk.undo(ANNA, keyed.id)
    assert room.desk.decisions("b1", [0]) == {}
    assert room.progress("b1") == (1, 0)
    with pytest.raises(LeaseError):
        room.desk.undo(ANNA, keyed.id)
    right = room.desk.key(ANNA, "b1", 0, again.lease, _amount(100))
    assert right.decision is not None
    with store.engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT amount_minor, withdrawn FROM cheque_desk_decisions ORDER BY at")
        ).all()
    assert [(row.amount_minor, row.withdrawn is None) for row in rows] == [
        (999, False),
        (100, True),
    ]


def test_what_is_passed_on_can_no_longer_be_undone(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    keyed = room.desk.key(ANNA, "b1", 0, item.lease, _amount(100))
    assert room.sample.settle(time.time() + 1) == 1
    with pytest.raises(LeaseError, match="too late"):
        room.desk.undo(ANNA, keyed.id)


def test_what_is_skipped_comes_last(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100, 200, 300])
    (first,) = _take(room.desk, ANNA)
    room.desk.skip(ANNA, "b1", first.number, first.lease)
    assert [one.number for one in _take(room.desk, ANNA, most=3)] == [1, 2, 0]
    room.desk.release_all(ANNA)
    assert [one.number for one in _take(room.desk, BEN)] == [0]


def test_accepted_items_are_drawn_for_audits(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies, desk_audit_share=1.0)
    _submit(store, room.entrance, bodies, [100], id="b1", accepted=True)
    never = _room(store, bodies, desk_audit_share=0.0)
    _submit(store, never.entrance, bodies, [100], id="b2", accepted=True)
    (item,) = _take(room.desk, ANNA, most=5)
    assert item.batch == "b1"
    room.desk.key(ANNA, "b1", 0, item.lease, _amount(100))
    with store.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM cheque_desk_outcomes")).one()
    assert (row.reason, bool(row.agrees), row.source) == ("audit", True, "key1")


def test_evidence_is_wanted_of_what_goes_to_the_desk(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies, desk_audit_share=0.5)
    _submit(store, room.entrance, bodies, [100] * 40, id="b1", accepted=True)
    _submit(store, room.entrance, bodies, [100], id="b2", queue=None)
    batch, other = store.batch("b1"), store.batch("b2")
    assert batch is not None
    assert other is not None
    wanted = [room.entrance.wants_evidence(batch, number) for number in range(40)]
    with store.engine.connect() as connection:
        taken = set(connection.scalars(sa.text("SELECT number FROM cheque_desk_items")))
    assert {number for number, one in enumerate(wanted) if one is True} == taken
    assert {one for one in wanted if one is not True} == {"rejected"}
    assert 0 < len(taken) < 40
    assert not room.entrance.wants_evidence(other, 0)


def test_many_take_at_once_and_none_gets_what_another_has(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, list(range(1, 61)))
    taken: list[int] = []

    def work(name: str) -> None:
        member = _member(name)
        while items := _take(room.desk, member, most=2):
            for item in items:
                taken.append(item.number)
                room.desk.key(member, item.batch, item.number, item.lease, _amount(1))

    threads = [threading.Thread(target=work, args=(f"m{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(taken) == list(range(60))
    assert room.progress("b1") == (0, 60)


def test_what_clerks_may_say() -> None:
    for said in (
        ("amount", None, None),
        ("amount", -1, None),
        ("amount", 10**16, None),
        ("not_a_cheque", 5, None),
        ("not_a_cheque", None, "USD"),
        ("whatever", None, None),
    ):
        with pytest.raises(ParameterError):
            Said(*said)  # type: ignore[arg-type]


def test_keyed_cheques_become_a_sample_of_its_own(
    store: Store, bodies: Bodies, tmp_path: Path
) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100, 200, 300])
    said = [_amount(150), Said("not_a_cheque"), Said("illegible")]
    for item, what in zip(_take(room.desk, ANNA, most=3), said, strict=True):
        room.desk.key(ANNA, item.batch, item.number, item.lease, what)
    assert room.sample.settle(time.time() - 5) == 0
    assert room.sample.settle(time.time() + 1) == 3
    assert room.sample.settle(time.time() + 1) == 0
    store.remove("b1")
    kept = room.sample.all()
    assert sorted((one.amount_minor or 0) for one in kept) == [0, 150]
    assert room.sample.bodies([one.body for one in kept]) == {one.body for one in kept}
    assert room.sample.export(tmp_path / "out", field_only=False) == 2
    lines = (tmp_path / "out" / "truth.csv").read_text().splitlines()
    assert lines[0] == "file,amount_minor,currency,reason"
    assert sorted(line.split(",")[1] for line in lines[1:]) == ["", "150"]
    name = lines[1].split(",")[0]
    assert (tmp_path / "out" / name).read_bytes() == b"\x89PNG image"
    with pytest.raises(InputError, match="no such"):
        room.sample.export(tmp_path / "crops", field_only=True)
    room.sample.forget("b1")
    assert room.sample.all() == []
    assert room.sample.image(kept[0]) is None


def test_a_sample_of_no_days_keeps_nothing(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies, desk_sample_days=0)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    room.desk.key(ANNA, "b1", 0, item.lease, _amount(100))
    assert room.sample.settle(time.time() + 1) == 1
    assert room.sample.all() == []


def test_a_batch_is_kept_while_clerks_have_not_seen_all_of_it(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100])
    batch = store.batch("b1")
    assert batch is not None
    assert not room.holds(batch), "nobody works at the desk"
    room.members.add("anna", "a long password", ["default"])
    assert room.holds(batch)
    assert not _room(store, bodies, desk_hours=1e-6).holds(batch)
    assert not _room(store, bodies, desk="off").holds(batch)
    (item,) = _take(room.desk, ANNA)
    room.desk.key(ANNA, "b1", 0, item.lease, _amount(100))
    assert room.holds(batch), "it may be undone yet"
    room.sample.settle(time.time() + 1)
    assert not room.holds(batch)


def test_a_purged_batch_leaves_nothing_at_the_desk(store: Store, bodies: Bodies) -> None:
    room = _room(store, bodies)
    _submit(store, room.entrance, bodies, [100])
    (item,) = _take(room.desk, ANNA)
    store.remove("b1")
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(desk_items)).scalar() == 0
    with pytest.raises(LeaseError):
        room.desk.key(ANNA, "b1", 0, item.lease, _amount(100))
