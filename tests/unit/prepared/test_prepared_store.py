"""A party's prepared material on disk: used once, readable to its owner alone, and in no copy."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import stat
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from stored_material import (
    ASKER,
    EXPIRES,
    KEY,
    NOW,
    OTHER_ASKER,
    OTHER_RUN,
    PARTS,
    RUN,
    SetClock,
    prepared_of,
    read,
    store_of,
    terms_of,
)

from mpc.dealing.delivery import PART_BYTES
from mpc.errors import Busy, IntegrityError, ParleyError, PeerError, StorageError, UsageError
from mpc.session.streams import Stream
from mpc.units import RunId
from parties.prepared import store as stores
from parties.prepared.store import DATABASE, FOLDER, STORED_MAX, TAG, PreparedStore

USED = "was used, or is over"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> PreparedStore:
    return store_of(tmp_path, clock)


def file_of(state: Path, run: RunId = RUN) -> Path:
    return state / FOLDER / run


def rows(state: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(state / DATABASE)) as connection:
        return connection.execute("SELECT run, state, key FROM material ORDER BY run").fetchall()


def consumed(state: Path, run: RunId = RUN) -> bool:
    """Whether ``run`` is marked, has no key and no file."""
    return (run, "consumed", None) in rows(state) and not file_of(state, run).exists()


# --- stored, and used once -------------------------------------------------------------------


def test_what_was_stored_is_taken_by_another_process_as_it_was(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.check(RUN)

    taken = store_of(tmp_path).take(RUN)

    assert taken.material.terms == terms_of()
    assert read(taken) == (Stream(KEY).octets(64), PARTS)
    assert consumed(tmp_path)


def test_a_party_without_corrections_stores_its_key_alone(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(parts=()), EXPIRES, ASKER)
    assert file_of(tmp_path).stat().st_size < 1024
    assert read(store.take(RUN)) == (Stream(KEY).octets(64), ())


def test_material_is_consumed_and_nameless_before_a_part_of_it_is_read(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    taken = store.take(RUN)
    assert consumed(tmp_path)
    assert next(taken.corrections) == PARTS[0]


def test_a_second_use_is_refused_and_what_the_first_has_goes_on(store: PreparedStore) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    first = store.take(RUN)
    with pytest.raises(IntegrityError, match=USED):
        store.check(RUN)
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)
    assert read(first)[1] == PARTS


@pytest.mark.parametrize("used", [False, True], ids=["stored", "used"])
def test_a_run_is_prepared_once_and_what_is_stored_stays(store: PreparedStore, used: bool) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    if used:
        store.take(RUN)
    touched: list[bytes] = []

    def dealt() -> Iterator[bytes]:
        touched.append(b"")
        yield b"other"

    with pytest.raises(IntegrityError, match="prepared here before"):
        store.keep(prepared_of(key=b"k" * 32, parts=dealt()), EXPIRES, ASKER)

    assert not touched
    if used:
        with pytest.raises(IntegrityError, match=USED):
            store.take(RUN)
    else:
        assert read(store.take(RUN)) == (Stream(KEY).octets(64), PARTS)


def test_a_run_that_another_process_stores_meanwhile_is_refused_and_its_material_stays(
    store: PreparedStore, tmp_path: Path
) -> None:
    refusals: list[str] = []

    def meanwhile() -> Iterator[bytes]:
        yield b"part"
        with pytest.raises(IntegrityError) as refusal:
            store_of(tmp_path).keep(prepared_of(key=b"k" * 32), EXPIRES, ASKER)
        refusals.append(refusal.value.what)

    store.keep(prepared_of(parts=meanwhile()), EXPIRES, ASKER)

    assert refusals == ["this run is being prepared here already"]
    assert read(store.take(RUN)) == (Stream(KEY).octets(64), (b"part",))


def test_runs_have_material_of_their_own(store: PreparedStore) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.keep(prepared_of(OTHER_RUN, key=b"k" * 32, parts=[b"theirs"]), EXPIRES, ASKER)
    store.take(RUN)
    assert read(store.take(OTHER_RUN)) == (Stream(b"k" * 32).octets(64), (b"theirs",))


def test_a_run_that_was_never_prepared_has_nothing(store: PreparedStore, tmp_path: Path) -> None:
    for ask in (store.check, store.take):
        with pytest.raises(IntegrityError, match="nothing is prepared here"):
            ask(RUN)
    assert rows(tmp_path) == []


def test_a_dealer_that_is_lost_leaves_nothing_stored_and_the_run_free(
    store: PreparedStore, tmp_path: Path
) -> None:
    def lost() -> Iterator[bytes]:
        yield PARTS[0]
        raise PeerError("dealer", "was lost")

    with pytest.raises(PeerError, match="dealer: was lost"):
        store.keep(prepared_of(parts=lost()), EXPIRES, ASKER)

    assert rows(tmp_path) == []
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [TAG]
    store.keep(prepared_of(), EXPIRES, ASKER)
    assert read(store.take(RUN))[1] == PARTS


def test_only_so_many_runs_of_a_coordinator_wait_and_others_have_room(
    store: PreparedStore,
) -> None:
    for number in range(STORED_MAX):
        store.keep(prepared_of(RunId(f"{number:064x}"), parts=()), EXPIRES, ASKER)
    with pytest.raises(Busy, match=f"{STORED_MAX} prepared runs of this coordinator"):
        store.keep(prepared_of(), EXPIRES, ASKER)
    store.keep(prepared_of(OTHER_RUN), EXPIRES, OTHER_ASKER)
    store.take(RunId(f"{1:064x}"))
    store.keep(prepared_of(), EXPIRES, ASKER)


def test_all_runs_together_take_so_many_bytes_at_most(
    store: PreparedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "STORED_BYTES_MAX", 12 * PART_BYTES)
    store.keep(prepared_of(), EXPIRES, ASKER)
    with pytest.raises(Busy, match="GiB here at most"):
        store.keep(prepared_of(OTHER_RUN, parts=[PARTS[0]] * 10), EXPIRES, ASKER)
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {TAG, RUN}
    store.take(RUN)
    store.keep(prepared_of(OTHER_RUN, parts=[PARTS[0]] * 10), EXPIRES, ASKER)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE material SET state = 'stored', key = x'00', consumed_unix_s = NULL"
        " WHERE state = 'consumed'",
        "UPDATE material SET consumed_unix_s = 1 WHERE state = 'consumed'",
        "UPDATE material SET key = x'00' WHERE state = 'stored'",
        "UPDATE material SET state = 'consumed', consumed_unix_s = 1 WHERE state = 'stored'",
        "UPDATE material SET expires_unix_s = expires_unix_s + 1",
        "UPDATE material SET boot = 'another'",
        "UPDATE material SET coordinator = 'another'",
        "DELETE FROM material",
        "INSERT INTO material VALUES ('ef', 'id', 'boot', 1, 'consumed', NULL, 1, 1, 1, 'office')",
        "INSERT OR REPLACE INTO material SELECT run, id, boot, size_bytes, 'stored', x'00', 1, 1,"
        " NULL, coordinator FROM material WHERE state = 'consumed'",
    ],
)
def test_the_database_itself_refuses_to_bring_material_back(
    store: PreparedStore, tmp_path: Path, statement: str
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.keep(prepared_of(OTHER_RUN), EXPIRES, ASKER)
    store.take(RUN)
    before = rows(tmp_path)
    connected = closing(sqlite3.connect(tmp_path / DATABASE))
    with connected as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement)
    assert rows(tmp_path) == before


# --- time and boots --------------------------------------------------------------------------


def test_expired_material_is_refused_and_gone_for_ever(
    store: PreparedStore, clock: SetClock, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    clock.now = EXPIRES
    with pytest.raises(IntegrityError, match="has expired"):
        store.check(RUN)
    with pytest.raises(IntegrityError, match="has expired"):
        store.take(RUN)
    clock.now = NOW
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)
    assert consumed(tmp_path)


def test_whatever_expired_is_deleted_when_something_is_stored(
    store: PreparedStore, clock: SetClock, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    clock.now = EXPIRES
    store.keep(prepared_of(OTHER_RUN), EXPIRES + 600, ASKER)
    assert consumed(tmp_path)
    assert read(store.take(OTHER_RUN))[1] == PARTS


def test_material_of_before_the_machine_was_started_anew_is_refused_and_gone(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    with pytest.raises(IntegrityError, match="the machine was started anew"):
        store_of(tmp_path, boot="the next boot").take(RUN)
    assert consumed(tmp_path)
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)


def test_a_row_that_claims_this_boot_does_not_make_a_file_of_another_readable(
    tmp_path: Path,
) -> None:
    store_of(tmp_path, boot="an earlier boot").keep(prepared_of(), EXPIRES, ASKER)
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("DROP TRIGGER material_moves_once")
        connection.execute("DROP TRIGGER material_terms_stay")
        connection.execute("UPDATE material SET boot = 'this boot'")
    with pytest.raises(IntegrityError, match="is another's"):
        store_of(tmp_path).take(RUN)
    assert consumed(tmp_path)


def test_material_of_a_run_that_is_over_is_gone_and_that_of_others_stays(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.keep(prepared_of(OTHER_RUN), EXPIRES, ASKER)
    store.end(RUN)
    store.end(RunId("ef" * 32))
    assert consumed(tmp_path)
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)
    assert read(store.take(OTHER_RUN))[1] == PARTS


def test_a_start_deletes_every_file_that_nobody_may_read(
    store: PreparedStore, clock: SetClock, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    old = RunId("11" * 32)
    store.keep(prepared_of(old), NOW + 1, ASKER)
    clock.now = NOW + 1
    for name in (OTHER_RUN, f"{OTHER_RUN}.partial"):
        (tmp_path / FOLDER / name).write_bytes(b"left over")

    store.clear()

    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {TAG, RUN}
    assert consumed(tmp_path, old)
    assert read(store.take(RUN))[1] == PARTS


# --- files that are not what was stored ------------------------------------------------------


def lost(store: PreparedStore, state: Path, error: type[ParleyError], why: str) -> None:
    """The material is refused, and consumed all the same."""
    with pytest.raises(error, match=why):
        read(store.take(RUN))
    assert (RUN, "consumed", None) in rows(state)
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)


@pytest.mark.parametrize("at", [0, 3, 4, 20, 400, 600, PART_BYTES + 700, -1, -10, -21])
def test_a_turned_bit_is_refused_and_the_material_is_lost(
    store: PreparedStore, tmp_path: Path, at: int
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    data = bytearray(file_of(tmp_path).read_bytes())
    data[at] ^= 1
    file_of(tmp_path).write_bytes(data)
    lost(store, tmp_path, IntegrityError, "was changed, cut, or is another's")


@pytest.mark.parametrize("cut", [1, 20, 1036, PART_BYTES])
def test_a_cut_file_is_refused_before_anything_of_it_is_used(
    store: PreparedStore, tmp_path: Path, cut: int
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    data = file_of(tmp_path).read_bytes()
    file_of(tmp_path).write_bytes(data[:-cut])
    with pytest.raises(IntegrityError, match="was changed, cut"):
        store.check(RUN)
    lost(store, tmp_path, IntegrityError, "was changed, cut")


def test_swapped_parts_are_refused_where_they_were_swapped(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    data = file_of(tmp_path).read_bytes()
    size = 4 + PART_BYTES + 16
    head = len(data) - 2 * size - (4 + 1000 + 16) - (4 + 16)
    first, second = data[head : head + size], data[head + size : head + 2 * size]
    file_of(tmp_path).write_bytes(data[:head] + second + first + data[head + 2 * size :])
    taken = store.take(RUN)
    with pytest.raises(IntegrityError, match="was changed"):
        next(taken.corrections)
    assert consumed(tmp_path)


def test_another_partys_file_is_refused(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    theirs = store_of(tmp_path / "theirs", identity_key=b"j" * 32)
    theirs.keep(prepared_of(key=b"k" * 32), EXPIRES, ASKER)
    shutil.copyfile(file_of(tmp_path / "theirs"), file_of(tmp_path))
    lost(store, tmp_path, IntegrityError, "is another's")
    assert read(theirs.take(RUN))[1] == PARTS


def test_another_runs_file_is_refused(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store.keep(prepared_of(OTHER_RUN), EXPIRES, ASKER)
    shutil.copyfile(file_of(tmp_path, OTHER_RUN), file_of(tmp_path))
    lost(store, tmp_path, IntegrityError, "is another's")


def test_a_store_with_another_identity_reads_nothing(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    lost(store_of(tmp_path, identity_key=b"j" * 32), tmp_path, IntegrityError, "is another's")


def test_a_file_that_is_gone_is_named_as_in_no_backup(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    file_of(tmp_path).unlink()
    with pytest.raises(StorageError, match="is gone: prepared material is in no backup"):
        store.check(RUN)
    lost(store, tmp_path, StorageError, "is gone: prepared material is in no backup")


def test_a_file_that_others_can_read_is_refused(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    file_of(tmp_path).chmod(0o640)
    lost(store, tmp_path, IntegrityError, "not its owner's alone")


def test_a_link_is_not_followed(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    file_of(tmp_path).rename(tmp_path / "elsewhere")
    file_of(tmp_path).symlink_to(tmp_path / "elsewhere")
    lost(store, tmp_path, StorageError, "symbolic link")


# --- copies and secrecy ----------------------------------------------------------------------


def test_files_put_back_from_a_copy_are_refused(store: PreparedStore, tmp_path: Path) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    shutil.copytree(tmp_path / FOLDER, tmp_path / "copy")
    store.take(RUN)
    shutil.copy2(tmp_path / "copy" / RUN, file_of(tmp_path))
    with pytest.raises(IntegrityError, match=USED):
        store.take(RUN)
    store.clear()
    assert consumed(tmp_path)


def test_a_database_put_back_finds_no_file(store: PreparedStore, tmp_path: Path) -> None:
    """What is left of a backup that left the folder out, as its tag says."""
    store.keep(prepared_of(), EXPIRES, ASKER)
    shutil.copyfile(tmp_path / DATABASE, tmp_path / "copy")
    store.take(RUN)
    shutil.copyfile(tmp_path / "copy", tmp_path / DATABASE)
    lost(store, tmp_path, StorageError, "is gone")


def test_a_whole_disk_put_back_is_refused_once_the_machine_was_started_anew(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    shutil.copytree(tmp_path / FOLDER, tmp_path / "copy")
    shutil.copyfile(tmp_path / DATABASE, tmp_path / "copy.db")
    store.take(RUN)
    shutil.copyfile(tmp_path / "copy.db", tmp_path / DATABASE)
    shutil.copy2(tmp_path / "copy" / RUN, file_of(tmp_path))
    with pytest.raises(IntegrityError, match="started anew"):
        store_of(tmp_path, boot="the next boot").take(RUN)


def test_the_rows_key_is_overwritten_when_the_material_is_consumed(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    ((_, _, key),) = rows(tmp_path)
    assert isinstance(key, bytes)
    assert key in (tmp_path / DATABASE).read_bytes()
    store.take(RUN)
    files = list(tmp_path.glob(f"{DATABASE}*"))
    assert files
    assert not [path.name for path in files if key in path.read_bytes()]


def test_the_file_shows_neither_key_nor_corrections_and_never_repeats(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    store_of(tmp_path / "again").keep(prepared_of(), EXPIRES, ASKER)
    data, again = file_of(tmp_path).read_bytes(), file_of(tmp_path / "again").read_bytes()
    for secret in (KEY, KEY.hex().encode(), b"a" * 16, b"c" * 16, RUN.encode(), b"alpha"):
        assert secret not in data
    assert len(data) == len(again)
    assert hashlib.sha256(data[4:]).digest() != hashlib.sha256(again[4:]).digest()


def test_everything_is_its_owners_alone_and_the_folder_says_that_it_is_no_backups(
    store: PreparedStore, tmp_path: Path
) -> None:
    store.keep(prepared_of(), EXPIRES, ASKER)
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / DATABASE).stat().st_mode) == 0o600
    signature = b"Signature: 8a477f597d28d172789f06886806bc55"
    assert (tmp_path / FOLDER / "CACHEDIR.TAG").read_bytes().startswith(signature)


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o755)
    with pytest.raises(UsageError, match="can be entered by others"):
        store_of(tmp_path)


# --- size ------------------------------------------------------------------------------------


def test_storing_and_reading_take_a_few_parts_of_memory_whatever_the_size(
    store: PreparedStore,
) -> None:
    def dealt() -> Iterator[bytes]:
        for number in range(40):
            yield bytes([number]) * PART_BYTES

    tracemalloc.start()
    try:
        store.keep(prepared_of(parts=dealt()), EXPIRES, ASKER)
        count = sum(1 for _ in store.take(RUN).corrections)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40
    assert peak < 4 * PART_BYTES


def test_a_full_disk_is_named_and_nothing_is_stored(
    store: PreparedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stores, "write_parts", full)
    with pytest.raises(StorageError, match="No space left on device"):
        store.keep(prepared_of(), EXPIRES, ASKER)
    assert rows(tmp_path) == []
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [TAG]
