"""A chat room over WebSocket in which no peer, however slow or dead, holds up the others."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hoopsnake.web import Router, WebSocket, WebSocketDisconnect

router = Router()

LONGEST_NAME = 24
LONGEST_TEXT = 2000
OUTBOX = 100  # Lines that may wait for one peer before it is shown the door.
HISTORY = 50  # Lines that a newcomer is told of.
PING_SECONDS = 20.0
SILENCE_SECONDS = 60.0  # A peer that says nothing for so long, pings unanswered, is gone.
FAREWELL_SECONDS = 1.0

REPLACED = (4001, "this tab has connected again")
TOO_SLOW = (1013, "you read too slowly")

Line = dict[str, Any]


@dataclass(eq=False)
class Member:
    """Somebody in the room, and the lines that wait for them."""

    name: str
    number: int  # Tells whose words are whose, for names are taken again once they are free.
    tab: str  # Made up by the page, so that a tab that reconnects takes its own old place.
    outbox: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(OUTBOX))
    dismissed: asyncio.Event = field(default_factory=asyncio.Event)
    farewell: tuple[int, str] = (1000, "")

    def dismiss(self, farewell: tuple[int, str]) -> None:
        """Tell the member's connection to end, for this reason."""
        self.farewell = farewell
        self.dismissed.set()


class Room:
    """Who is here and what was said. Nothing in it waits, so nobody can make it wait."""

    def __init__(self) -> None:
        self.identity = secrets.token_hex(4)  # Lets a page notice that this is a new process.
        self.members: list[Member] = []
        self.history: deque[Line] = deque(maxlen=HISTORY)
        self.spoken = 0
        self.joined = 0

    def join(self, name: str, tab: str) -> Member:
        """Let somebody in, tell them what they missed, and tell everybody else."""
        for old in [member for member in self.members if tab and member.tab == tab]:
            old.dismiss(REPLACED)
            self.leave(old)
        self.joined += 1
        member = Member(self._free_name(name), self.joined, tab)
        welcome = {"kind": "welcome", "room": self.identity, "name": member.name}
        hand(member, {**welcome, "member": member.number, "history": list(self.history)})
        self.members.append(member)
        self._tell("joined", member)
        return member

    def leave(self, member: Member) -> None:
        """Forget a member and tell the rest; a second call changes nothing."""
        if member in self.members:
            self.members.remove(member)
            self._tell("left", member)

    def say(self, member: Member, text: str) -> None:
        """Pass a member's words on to everybody, the speaker included."""
        if member in self.members:
            self._tell("said", member, text)

    def _tell(self, kind: str, about: Member, text: str = "") -> None:
        self.spoken += 1
        line: Line = {"kind": kind, "number": self.spoken, "at": time.time(), "text": text}
        line |= {"name": about.name, "member": about.number}
        self.history.append(line)
        present = [member.name for member in self.members]
        full = [member for member in self.members if not hand(member, {**line, "present": present})]
        for member in full:
            member.dismiss(TOO_SLOW)
            self.leave(member)

    def _free_name(self, wanted: str) -> str:
        printable = "".join(letter if letter.isprintable() else " " for letter in wanted)
        name = " ".join(printable.split())[:LONGEST_NAME].strip() or "Somebody"
        taken = {member.name for member in self.members}
        number, free = 2, name
        while free in taken:
            free, number = f"{name} {number}", number + 1
        return free


def hand(member: Member, line: Line) -> bool:
    """Put a line in a member's outbox, or say that it is full."""
    try:
        member.outbox.put_nowait(json.dumps(line))
    except asyncio.QueueFull:
        return False
    return True


room = Room()


async def listen(socket: WebSocket, member: Member) -> None:
    """Pass on what the peer says until it leaves or falls silent."""
    while True:
        async with asyncio.timeout(SILENCE_SECONDS):
            heard = parse(await socket.receive())
        if isinstance(heard, str):
            hand(member, {"kind": "refused", "reason": heard})
        elif text := heard.get("text", "").strip():
            room.say(member, text)
            await asyncio.sleep(0)  # One who never pauses must leave the others their turn.


def parse(raw: str | bytes) -> Line | str:
    """A message of the page's, or the reason why it is none."""
    try:
        heard = json.loads(raw if isinstance(raw, str) else "")
    except ValueError:
        return "that was not JSON"
    if not isinstance(heard, dict) or not isinstance(heard.get("text", ""), str):
        return "that was not a message"
    if len(heard.get("text", "")) > LONGEST_TEXT:
        return f"a message has at most {LONGEST_TEXT} characters"
    return heard


async def deliver(socket: WebSocket, member: Member) -> None:
    """Send the member's lines in turn. Only this task ever waits for this peer."""
    while True:
        await socket.send_text(await member.outbox.get())


async def ping(member: Member) -> None:
    """Ask now and then whether the peer is there, for one who only reads to answer."""
    while True:
        await asyncio.sleep(PING_SECONDS)
        hand(member, {"kind": "ping"})


async def until_first_ends(*sides: Coroutine[Any, Any, Any]) -> None:
    """Run coroutines side by side until one ends, then end the others."""
    tasks = [asyncio.create_task(side) for side in sides]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


@router.websocket("/chat")
async def chat(socket: WebSocket, name: str = "", tab: str = "") -> None:
    """One peer's time in the room."""
    await socket.accept()
    member = room.join(name, tab)
    try:
        await until_first_ends(
            listen(socket, member), deliver(socket, member), ping(member), member.dismissed.wait()
        )
    except (WebSocketDisconnect, TimeoutError):
        pass  # The peer is gone, which is nobody's fault.
    finally:
        room.leave(member)
    if not socket.is_closed:
        # A peer that does not read does not read its farewell either: do not insist.
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await socket.close(*member.farewell)
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            pass
