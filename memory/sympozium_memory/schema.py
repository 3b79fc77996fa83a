"""The tables of a memory, as numbered migrations. Imported only when a file is made or is older than this program.

Never change a migration that was released: add one, and raise VERSION in ``file``.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("sympozium-memory")

_FIRST = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content TEXT NOT NULL,
    tags TEXT NOT NULL,
    run TEXT NOT NULL,
    created REAL NOT NULL,
    trust TEXT NOT NULL CHECK (trust IN ('agent', 'person', 'seed')),
    digest TEXT NOT NULL UNIQUE,
    count INTEGER NOT NULL,
    words TEXT NOT NULL
);
CREATE TABLE stores (
    entry INTEGER NOT NULL REFERENCES entries (id),
    run TEXT NOT NULL,
    trust TEXT NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    count INTEGER NOT NULL,
    call TEXT NOT NULL,
    PRIMARY KEY (entry, run, trust)
) WITHOUT ROWID;
CREATE INDEX stores_run ON stores (run, entry);
CREATE TABLE tagged (
    tag TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES entries (id),
    PRIMARY KEY (tag, entry)
) WITHOUT ROWID;
CREATE TABLE revocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL,
    entry INTEGER NOT NULL,
    run TEXT NOT NULL,
    trust TEXT NOT NULL,
    created REAL NOT NULL,
    revoked REAL NOT NULL,
    person TEXT NOT NULL,
    reason TEXT NOT NULL,
    lifted REAL
);
CREATE INDEX revocations_digest ON revocations (digest);
CREATE VIRTUAL TABLE entries_fts USING fts5 (
    words, content="entries", content_rowid="id", -- written as sqlite-utils looks for it
    tokenize = "porter unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
);
CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN
    INSERT INTO entries_fts (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
    INSERT INTO entries_fts (entries_fts, rowid, words) VALUES ('delete', old.id, old.words);
END;
CREATE TRIGGER entries_changed AFTER UPDATE OF words ON entries WHEN old.words IS NOT new.words BEGIN
    INSERT INTO entries_fts (entries_fts, rowid, words) VALUES ('delete', old.id, old.words);
    INSERT INTO entries_fts (rowid, words) VALUES (new.id, new.words);
END
"""


@migrations()
def first(db: Database) -> None:
    for statement in _statements(_FIRST):
        db.execute(statement)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables forward to the newest."""
    migrations.apply(Database(connection, recursive_triggers=False))


def _statements(script: str) -> list[str]:
    """``executescript`` would commit the transaction that the migration runs in."""
    found: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return [*found, statement] if statement.strip() else found
