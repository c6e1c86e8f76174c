"""Connections are shared out among processes that listen on one socket."""

import asyncio
import socket
from collections.abc import MutableSequence

from service.api.door import Door
from service.occupancy import Slot, make_occupancy
from service.sockets import listen


class _Held(asyncio.Protocol):
    def __init__(self, held: set["_Held"]) -> None:
        self._held = held
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._held.add(self)


def _door(sock: socket.socket, slot: Slot, held: set[_Held]) -> Door:
    return Door(sock, lambda: _Held(held), held, slot, tls=None, handshake_seconds=1.0)


async def _arrive(occupancy: MutableSequence[int], clients: int) -> list[int]:
    """How many of some clients two doors take."""
    with listen("127.0.0.1", 0) as sock, sock.dup() as same:
        held: list[set[_Held]] = [set(), set()]
        doors = [
            _door(one, Slot(occupancy, number), held[number])
            for number, one in enumerate((sock, same))
        ]
        made = [await asyncio.open_connection(*sock.getsockname()) for _ in range(clients)]
        async with asyncio.timeout(30):
            while sum(map(len, held)) < clients:
                await asyncio.sleep(0.005)
        accepted = [one.transport.get_extra_info("socket") for one in held[0] if one.transport]
        assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in accepted)
        for _, writer in made:
            writer.close()
        for door in doors:
            door.close()
            await door.wait_closed()
        for one in held[0] | held[1]:
            if one.transport is not None:
                one.transport.close()
        return [len(one) for one in held]


def test_each_gets_its_share() -> None:
    assert asyncio.run(_arrive(make_occupancy(2), 6)) == [3, 3]


def test_what_the_less_busy_do_not_take_is_taken() -> None:
    occupancy = make_occupancy(3)
    Slot(occupancy, 2).hold(0)  # says that it takes connections, and never does
    assert sum(asyncio.run(_arrive(occupancy, 4))) == 4


def test_who_has_left_is_not_waited_for() -> None:
    occupancy = make_occupancy(2)
    Slot(occupancy, 0).hold(3)
    assert not Slot(occupancy, 0).is_fullest()
    Slot(occupancy, 1).hold(2)
    assert Slot(occupancy, 0).is_fullest()
    Slot(occupancy, 1).leave()
    assert not Slot(occupancy, 0).is_fullest()
