"""Backup and restore of the two SQLite files, as one tar with a manifest; a backup is made while everything runs.

The operational store is copied first. Its series cursor is then never ahead of the copied readings: what the series
store got in between is only more, and appending it again from the journal changes nothing. Restoring refuses whatever
could destroy data: a damaged archive, a folder in use, a folder that is not empty (unless forced). Before a file is
put in place it was unpacked beside its place, checked, opened and brought to this program's schema.
"""

import hashlib
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import IO

import msgspec

from domain.errors import CaretakerError
from domain.times import iso
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore

OPERATIONAL_FILE = "operational.sqlite"
SERIES_FILE = "series.sqlite"
MANIFEST = "manifest.json"
FORMAT = 1

_CHUNK = 1024 * 1024
_SIDE_FILES = ("-wal", "-shm", "-journal")


class BackupFile(msgspec.Struct, frozen=True):
    """One file of the archive."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What the archive holds; `audit` is the head of each site's audit chain, so that a cut-off end shows."""

    format: int
    made_at: str
    caretaker: str
    files: tuple[BackupFile, ...]
    audit: dict[str, str]


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished archive and what it holds."""

    path: Path
    manifest: Manifest


def backup(data_dir: Path, target: Path, now: int) -> Backup:
    """Write a consistent copy of both stores of `data_dir` to `target`, while other processes use them.

    `target` is a file that does not exist yet (`.tar`, or `.tar.gz` to compress), or a folder: then the file is named
    after `now` (UTC ms). It appears under its name only when it is complete. CaretakerError when it cannot be made.
    """
    if not (data_dir / OPERATIONAL_FILE).exists():
        raise CaretakerError(
            f"there is no {OPERATIONAL_FILE} in {data_dir}", "name the data folder of the installation"
        )
    if target.is_dir():
        target = target / f"caretaker-{iso(now)[:19].replace(':', '').replace('-', '')}Z.tar"
    if target.exists():
        raise CaretakerError(f"{target} exists already", "name a file that does not, or a folder")
    try:
        with tempfile.TemporaryDirectory(prefix=".caretaker-backup-", dir=target.parent) as folder:
            copies = _copy_stores(data_dir, Path(folder))
            manifest = _describe(copies, now)
            partial = Path(folder) / "archive"
            _write_tar(partial, manifest, copies, compress=target.suffix in (".gz", ".tgz"))
            partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise CaretakerError(f"no backup was made: {error}", "check the path, its rights and the free space") from error
    return Backup(target, manifest)


def restore(archive: Path, data_dir: Path, now: int, *, by: str = "command line", force: bool = False) -> Manifest:
    """Put the archive's stores in `data_dir`; an entry of the audit says so.

    CaretakerError, and nothing changed, when the archive is damaged or of another version, when a process has the
    present stores open, or when `data_dir` is not empty and `force` is False.
    """
    if data_dir.exists() and any(data_dir.iterdir()) and not force:
        raise CaretakerError(
            f"{data_dir} is not empty", "restore into a new folder, or use --force to replace the data"
        )
    data_dir.mkdir(parents=True, exist_ok=True)
    _refuse_in_use(data_dir)
    with tempfile.TemporaryDirectory(prefix=".caretaker-restore-", dir=data_dir) as folder:
        manifest = _unpack(archive, Path(folder))
        _check_stores(Path(folder), manifest, now, by)
        _refuse_in_use(data_dir)
        for name in (OPERATIONAL_FILE, SERIES_FILE):
            for side in _SIDE_FILES:
                (data_dir / f"{name}{side}").unlink(missing_ok=True)
            (data_dir / name).unlink(missing_ok=True)
        for file in manifest.files:
            (Path(folder) / file.name).replace(data_dir / file.name)
    _sync_folder(data_dir)
    return manifest


def in_use(path: Path) -> bool:
    """Whether another connection has the SQLite file open (on this machine)."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            # Leaving WAL mode needs the file alone; that it works says that nobody else is there.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            return True
        except sqlite3.DatabaseError:
            return False  # not a database any more: nobody can be using it
    return False


def _copy_stores(data_dir: Path, folder: Path) -> list[Path]:
    copies = []
    for name in (OPERATIONAL_FILE, SERIES_FILE):  # this order: see the module's text
        if (data_dir / name).exists():
            with closing(sqlite3.connect(data_dir / name)) as source, closing(sqlite3.connect(folder / name)) as copy:
                source.backup(copy)  # in one step: it sees one state, and in WAL mode holds up no writer
            copies.append(folder / name)
    return copies


def _describe(copies: list[Path], now: int) -> Manifest:
    with closing(sqlite3.connect(copies[0])) as connection:
        heads = "SELECT site, hash FROM audit WHERE id IN (SELECT MAX(id) FROM audit GROUP BY site) ORDER BY site"
        audit = dict(connection.execute(heads).fetchall())
    files = tuple(BackupFile(path.name, path.stat().st_size, _sha256(path)) for path in copies)
    return Manifest(FORMAT, iso(now), version("caretaker"), files, audit)


def _write_tar(path: Path, manifest: Manifest, copies: list[Path], *, compress: bool) -> None:
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    with path.open("xb") as raw:
        with tarfile.open(fileobj=raw, mode="w:gz" if compress else "w") as tar:
            entry = tarfile.TarInfo(MANIFEST)
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))
            for copy in copies:
                tar.add(copy, copy.name)
        raw.flush()
        os.fsync(raw.fileno())


def _unpack(archive: Path, folder: Path) -> Manifest:
    try:
        with tarfile.open(archive) as tar:
            manifest = _read_manifest(tar)
            for file in manifest.files:
                if file.name not in (OPERATIONAL_FILE, SERIES_FILE):
                    raise CaretakerError(f"{archive} holds {file.name!r}, which is no part of a backup")
                _extract(tar, file, folder / file.name)
    except (OSError, EOFError, tarfile.TarError, KeyError, msgspec.MsgspecError) as error:
        raise CaretakerError(f"{archive} is not a whole backup: {error}", "use another backup") from error
    return manifest


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.extractfile(MANIFEST)
    if member is None:
        raise KeyError(MANIFEST)
    with member:
        manifest = msgspec.json.decode(member.read(_CHUNK), type=Manifest)
    if manifest.format != FORMAT:
        raise CaretakerError(
            f"the backup has format {manifest.format}; this Caretaker reads {FORMAT}",
            f"restore it with Caretaker {manifest.caretaker}",
        )
    if OPERATIONAL_FILE not in [file.name for file in manifest.files]:
        raise KeyError(OPERATIONAL_FILE)
    return manifest


def _extract(tar: tarfile.TarFile, file: BackupFile, target: Path) -> None:
    member = tar.extractfile(file.name)
    if member is None:
        raise KeyError(file.name)
    with member, target.open("xb") as out:
        _copy(member, out)
        out.flush()
        os.fsync(out.fileno())
    if (target.stat().st_size, _sha256(target)) != (file.bytes, file.sha256):
        raise CaretakerError(f"{file.name} in the backup does not match its checksum", "use another backup")


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        target.write(chunk)


def _check_stores(folder: Path, manifest: Manifest, now: int, by: str) -> None:
    for file in manifest.files:
        with closing(sqlite3.connect(folder / file.name)) as connection:
            try:
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.DatabaseError as error:
                verdict = str(error)
        if verdict != "ok":
            raise CaretakerError(f"{file.name} in the backup is damaged: {verdict}", "use another backup")
    with closing(OperationalStore(f"sqlite:///{folder / OPERATIONAL_FILE}")) as store:
        if store.audit_heads() != manifest.audit:
            raise CaretakerError("the backup's audit trail is not the one of its manifest", "use another backup")
        store.note("", now, by, "restore", {"made_at": manifest.made_at, "caretaker": manifest.caretaker})
    if (folder / SERIES_FILE).exists():
        SqliteSeriesStore(folder / SERIES_FILE).close()


def _refuse_in_use(data_dir: Path) -> None:
    for name in (OPERATIONAL_FILE, SERIES_FILE):
        if in_use(data_dir / name):
            raise CaretakerError(f"{data_dir / name} is in use", "stop Caretaker first, then restore")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
