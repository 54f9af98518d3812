"""Where a party keeps prepared material until its run: encrypted, and used at most once.

``state/prepared/`` has one file a run: the key of the party's stream with the dealer, and at the
last party the corrections. ``state/prepared.db`` says of each run whether its material is stored or
consumed. Taking material first marks it consumed, on disk; then its file is opened and has no name
any more; only then is a byte of it read. A crash anywhere in between loses the material, and never
gives it out twice.

A file's key is HKDF-SHA256 over three things: 32 random bytes in the row, which are overwritten in
the transaction that marks it consumed; a key of the party's identity, which lies in another folder;
and the boot of the machine. What that holds against whom:

* A copy of the folder alone, or with the database, is unreadable without the identity's keys. The
  folder holds a CACHEDIR.TAG, so that backups which honour it leave the folder out.
* A copy of anything that was made after the run is unreadable, identity or not: the random bytes
  are gone, as far as SQLite and the disk overwrite what they are told to.
* Files put back from a copy are refused: the database knows that they were consumed. If the
  database is put back too, the random bytes are back, and the file is used only if the machine has
  not been started anew since it was stored. To set back a whole disk takes that.
* A virtual machine that is set back to a snapshot with its memory notices nothing. Then the records
  of used approvals are set back with it, and what is left is that every peer has to sign a second
  session of the run: one honest peer that was not set back refuses it, and peers that all deviate
  learn from two openings under one mask by how much what it hid differs.
* Whoever reads this machine's state and identity before the run has the party's masks. With the
  openings, which every peer sees, these are its inputs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc.errors import Busy, IntegrityError, StorageError
from mpc.naming import joined
from mpc.ports import Clock, Randomness
from mpc.session.preparing import Material, MaterialTerms, Prepared
from mpc.units import PartyId, RunId
from parties.database import Database
from parties.identity.files import make_directory
from parties.identity.store import Identity
from parties.prepared.sealed_file import KEY_BYTES, file_changed, read_parts, write_parts
from parties.prepared.tables import TABLES
from parties.system import SystemRandomness, boot_id

FOLDER = "prepared"
DATABASE = "prepared.db"
PURPOSE = "parley/prepared/v1"
"""What the key of the identity is derived for: :meth:`parties.identity.store.Identity.key_for`."""

STORED_MAX = 100
"""Materials at once, of one coordinator, so that others have room."""
STORED_BYTES_MAX = 64 << 30
"""Of all coordinators together."""

TAG = "CACHEDIR.TAG"
TAG_TEXT = """\
Signature: 8a477f597d28d172789f06886806bc55
# Prepared material of Parley. It is used once and must be in no backup: leave this folder out.
# https://bford.info/cachedir/ says which programs do so by themselves.
"""

_PARTIAL = ".partial"
_AGAIN = "propose the plan again, and prepare it anew"
_OTHERS = 0o077  # permission bits of everyone but the owner


@dataclass(frozen=True, repr=False)
class _Stored:
    """A row of stored material: id in hex, and its file's size and half of its key."""

    id: str
    size_bytes: int
    key: bytes


def open_prepared(state: Path, identity: Identity, clock: Clock) -> PreparedStore:
    """The store of ``identity``'s party in its folder ``state``, on this boot of the machine."""
    key = identity.key_for(PURPOSE)
    return PreparedStore(state, key, boot_id, clock, SystemRandomness())


class PreparedStore:
    """Prepared material of one party. For several processes of it at once. Files have mode 0600."""

    def __init__(
        self, state: Path, identity_key: bytes, boot: Callable[[], str], clock: Clock,
        randomness: Randomness,
    ) -> None:  # fmt: skip
        """``identity_key``: 32 bytes, for :data:`PURPOSE` alone. ``boot`` names the machine's.

        Raises UsageError if others may enter the folder, StorageError if the database fails.
        """
        self._folder = state / FOLDER
        self._identity_key = identity_key
        self._boot = boot
        self._clock = clock
        self._randomness = randomness
        self._database = Database(state / DATABASE, TABLES)
        with _named_failures(self._folder):
            make_directory(self._folder)
            tag = self._folder / TAG
            if not tag.exists():
                tag.write_text(TAG_TEXT)

    def keep(self, prepared: Prepared, expires_unix_s: int, coordinator: PartyId) -> None:
        """Store ``prepared`` of a run of ``coordinator``, taking its corrections as they come.

        On disk when this returns.

        Spends the material. Raises IntegrityError if the run was prepared before, also if that was
        used, Busy if too many are stored or too much, StorageError if the disk fails, and what the
        corrections raise. Nothing is stored then.
        """
        terms = prepared.material.terms
        room = self._room(terms.run, coordinator)
        key = self._randomness.random_bytes(KEY_BYTES)
        partial = self._path(terms.run, _PARTIAL)
        with _named_failures(partial):
            file = _new_file(partial)
            try:
                with file:
                    parts = chain([prepared.material.to_bytes()], prepared.corrections)
                    write_parts(file, self._file_key(terms.run, key), _within(room, parts))
                    file.flush()
                    os.fsync(file.fileno())
                    size = file.tell()
                self._add(terms, key, size, expires_unix_s, coordinator)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def check(self, run: RunId) -> None:
        """Raise what :meth:`take` would raise, as far as that shows without reading the file."""
        with self._database.transaction() as connection:
            stored = self._usable(connection, run)
        with self._named_file(run) as path:
            _check_file(path.lstat(), stored.size_bytes)

    def take(self, run: RunId) -> Prepared:
        """The material of ``run``, for ever consumed before a byte of it is read.

        Its corrections are read as they are asked for; then a part that was changed raises
        IntegrityError. Raises IntegrityError if nothing is stored for the run, it was consumed, it
        expired, the machine was started anew, or the file is not the one stored; StorageError if it
        is gone. Whatever is raised, what was stored is consumed.
        """
        stored = self._consume(run)
        with self._named_file(run) as path:
            file = self._opened(path, stored.size_bytes)
        parts = _closing(read_parts(file, self._file_key(run, stored.key)), file)
        material = Material.from_bytes(next(parts, b""))
        if (material.terms.run, material.terms.id.hex()) != (run, stored.id):
            raise IntegrityError("the prepared material's file is not the one that was stored")
        return Prepared(material, parts)

    def discard(self, run: RunId) -> None:
        """What the end of a preparing run leaves half stored is deleted; stored material stays."""
        with _named_failures(self._path(run, _PARTIAL)):
            self._path(run, _PARTIAL).unlink(missing_ok=True)

    def end(self, run: RunId) -> None:
        """The run is over, whatever became of it: what is still stored for it is consumed."""
        with self._database.transaction() as connection:
            _mark_consumed(connection, "run = ?", run, self._clock.unix_s())
        with _named_failures(self._path(run)):
            self._path(run).unlink(missing_ok=True)

    def clear(self) -> None:
        """Consume what expired, and delete every file that nobody may read any more.

        For the start of a node, when no worker of it runs.
        """
        with self._database.transaction() as connection:
            self._consume_expired(connection)
            stored = _runs(connection)
        names = {self._path(run).name for run in stored} | {TAG}
        with _named_failures(self._folder):
            for path in self._folder.iterdir():
                if path.name not in names:
                    path.unlink()

    def _path(self, run: RunId, ending: str = "") -> Path:
        return self._folder / (run + ending)

    def _file_key(self, run: RunId, key: bytes) -> bytes:
        info = joined(PURPOSE.encode(), run.encode(), self._boot().encode())
        derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=info)
        return derivation.derive(joined(key, self._identity_key))

    def _room(self, run: RunId, coordinator: PartyId) -> int:
        """How many bytes a run that was not prepared before may take."""
        with self._database.transaction() as connection:
            self._consume_expired(connection)
            _check_new(connection, run)
            count, size = connection.execute(
                "SELECT count(*) FILTER (WHERE coordinator = ?), total(size_bytes)"
                " FROM material WHERE state = 'stored'",
                (coordinator,),
            ).fetchone()
        if count >= STORED_MAX:
            raise Busy(f"{STORED_MAX} prepared runs of this coordinator wait here already")
        return STORED_BYTES_MAX - int(size)

    def _add(
        self, terms: MaterialTerms, key: bytes, size: int, expires_unix_s: int,
        coordinator: PartyId,
    ) -> None:  # fmt: skip
        """The file gets its name within the transaction that makes its row: both, or no row."""
        final = self._path(terms.run)
        with self._database.transaction() as connection:
            _check_new(connection, terms.run)
            self._path(terms.run, _PARTIAL).replace(final)
            _sync_folder(self._folder)
            connection.execute(
                "INSERT INTO material VALUES (?, ?, ?, ?, 'stored', ?, ?, ?, NULL, ?)",
                (terms.run, terms.id.hex(), self._boot(), size, key, self._clock.unix_s(),
                 expires_unix_s, coordinator),
            )  # fmt: skip

    def _consume(self, run: RunId) -> _Stored:
        """What was stored for ``run``, consumed on disk when this returns or raises."""
        with self._database.transaction() as connection:
            try:
                found: _Stored | IntegrityError = self._usable(connection, run)
            except IntegrityError as fault:
                found = fault
            marked = _mark_consumed(connection, "run = ?", run, self._clock.unix_s())
            if isinstance(found, IntegrityError) and marked:
                # Else whoever marked it is about to open its file.
                self._path(run).unlink(missing_ok=True)
        if isinstance(found, IntegrityError):  # not within the transaction, which stands
            raise found
        return found

    def _usable(self, connection: sqlite3.Connection, run: RunId) -> _Stored:
        """What is stored for ``run``. Raises IntegrityError saying why it cannot be used."""
        row = connection.execute(
            "SELECT state, boot, expires_unix_s, size_bytes, key, id FROM material WHERE run = ?",
            (run,),
        ).fetchone()
        if row is None:
            raise IntegrityError("nothing is prepared here for this run", hint=_AGAIN)
        state, boot, expires_unix_s, size, key, id_ = row
        if state != "stored":
            raise IntegrityError("what was prepared for this run was used, or is over", hint=_AGAIN)
        if expires_unix_s <= self._clock.unix_s():
            raise IntegrityError("what was prepared for this run has expired", hint=_AGAIN)
        if boot != self._boot():
            raise IntegrityError(
                "the machine was started anew since this run was prepared, so it may be a copy",
                hint=_AGAIN,
            )
        return _Stored(id=str(id_), size_bytes=int(size), key=bytes(key))

    def _consume_expired(self, connection: sqlite3.Connection) -> None:
        now = self._clock.unix_s()
        expired = connection.execute(
            "SELECT run FROM material WHERE state = 'stored' AND expires_unix_s <= ?", (now,)
        ).fetchall()
        _mark_consumed(connection, "expires_unix_s <= ?", now, now)
        for (run,) in expired:
            self._path(RunId(run)).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _named_file(self, run: RunId) -> Iterator[Path]:
        path = self._path(run)
        with _named_failures(path):
            try:
                yield path
            except FileNotFoundError:
                raise StorageError(
                    f"{path} is gone: prepared material is in no backup", hint=_AGAIN
                ) from None

    def _opened(self, path: Path, size: int) -> BinaryIO:
        """The file, which has no name any more: it is gone when whoever reads it ends."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        file = os.fdopen(descriptor, "rb")
        try:
            path.unlink()
            _sync_folder(self._folder)
            _check_file(os.fstat(descriptor), size)
        except BaseException:
            file.close()
            raise
        return file


def _within(room: int, parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        room -= len(part)
        if room < 0:
            raise Busy(f"prepared runs take {STORED_BYTES_MAX >> 30} GiB here at most")
        yield part


def _mark_consumed(
    connection: sqlite3.Connection, which: str, value: str | int, now_unix_s: int
) -> int:
    connection.execute("PRAGMA secure_delete=ON")  # the key's bytes are overwritten with zeros
    marked = connection.execute(
        "UPDATE material SET state = 'consumed', key = NULL, consumed_unix_s = ?"  # noqa: S608
        f" WHERE state = 'stored' AND {which}",
        (now_unix_s, value),
    )
    return marked.rowcount


def _runs(connection: sqlite3.Connection) -> list[RunId]:
    rows = connection.execute("SELECT run FROM material WHERE state = 'stored'").fetchall()
    return [RunId(row[0]) for row in rows]


def _check_new(connection: sqlite3.Connection, run: RunId) -> None:
    found = connection.execute("SELECT 1 FROM material WHERE run = ?", (run,)).fetchone()
    if found is not None:
        raise IntegrityError("this run was prepared here before", hint=_AGAIN)


def _check_file(found: os.stat_result, size: int) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_mode & _OTHERS:
        raise IntegrityError("the prepared material's file is not its owner's alone")
    if found.st_size != size:
        raise file_changed()


def _new_file(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise IntegrityError("this run is being prepared here already") from None
    return os.fdopen(descriptor, "wb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _closing(parts: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    with file:
        yield from parts


@contextlib.contextmanager
def _named_failures(path: Path) -> Iterator[None]:
    """The disk's errors as StorageError, naming the file and the error."""
    try:
        yield
    except OSError as failure:
        raise StorageError(
            f"{path}: {failure.strerror or type(failure).__name__}",
            hint="look for a full disk, or a folder that this user may not write to",
        ) from None
