"""The one thread that writes: what waits while it commits goes into its next commit together."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeAlias, TypeVar

from sympozium_memory.faults import Busy, CannotUse, MemoryFault
from sympozium_memory.file import File, told
from sympozium_memory.lock import Lock
from sympozium_protocol.failpoints import failpoint

T = TypeVar("T")
Write: TypeAlias = Callable[[sqlite3.Connection], T]

PATIENCE: Final = 30.0
"""Seconds that a write waits for its turn before it is given up."""

_TOGETHER: Final = 64
"""Writes of one commit: a batch is over in a few milliseconds, and other processes wait for no longer."""


class Writer:
    """Each write is a function within a transaction; its Future is done when the disk has it.

    A Future that is cancelled before its turn is not written.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self._lock = Lock(file.path)
        self._waiting: queue.SimpleQueue[tuple[Write[object], Future[object]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False

    def submit(self, write: Write[T]) -> Future[T]:
        """Let it be written. The Future raises MemoryFault."""
        done: Future[T] = Future()
        with self._starting:
            if self._closed:
                raise CannotUse(self._file.path, "the memory is closed")
            if self._thread is None:
                # a daemon: one that waits for a lock must not keep its program from ending
                self._thread = threading.Thread(target=self._work, name="memory-writer", daemon=True)
                self._thread.start()
            self._waiting.put((write, done))  # type: ignore[arg-type]
        return done

    def wait(self, write: Write[T], patience: float = PATIENCE) -> T:
        """Write it now. Raises MemoryFault (Busy after ``patience`` seconds, if it can still be taken back)."""
        done = self.submit(write)
        try:
            return done.result(patience)
        except TimeoutError:
            if done.cancel():
                raise Busy("the memory is in use by another program for too long: nothing was stored") from None
            return done.result()

    def close(self) -> None:
        with self._starting:
            self._closed = True
            if self._thread is None:
                return
            self._waiting.put(None)
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        ends = False
        while not ends:
            batch, ends = self._next()
            try:
                with told(self._file.path):
                    connection = connection or self._file.writer()
                    self._commit(connection, batch)
            except Exception as error:  # noqa: BLE001  the top of a thread: it belongs to those who wait
                _fail(batch, error)
        if connection:
            connection.close()
        self._lock.close()

    def _next(self) -> tuple[list[tuple[Write[object], Future[object]]], bool]:
        """All that waits, and: was it the last?"""
        found = [self._waiting.get()]
        while len(found) < _TOGETHER and found[-1] is not None:
            try:
                found.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return [one for one in found if one is not None], found[-1] is None

    def _commit(self, db: sqlite3.Connection, batch: list[tuple[Write[object], Future[object]]]) -> None:
        if not batch:
            return
        with self._lock:
            self._file.check_same()
            db.execute("BEGIN IMMEDIATE")
            try:
                results = [(done, _try(db, write)) for write, done in batch if done.set_running_or_notify_cancel()]
                failpoint("memory-written")
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
        failpoint("memory-committed")
        for done, result in results:
            if isinstance(result, MemoryFault):
                done.set_exception(result)
            else:
                done.set_result(result)


def _try(db: sqlite3.Connection, write: Write[object]) -> object:
    """A write that is refused must not undo its neighbours': it is undone alone."""
    db.execute("SAVEPOINT one")
    try:
        result = write(db)
    except MemoryFault as fault:
        db.execute("ROLLBACK TO one")
        result = fault
    db.execute("RELEASE one")
    return result


def _fail(batch: list[tuple[Write[object], Future[object]]], error: Exception) -> None:
    for _, done in batch:
        if not done.done() and (done.running() or done.set_running_or_notify_cancel()):
            done.set_exception(error)
