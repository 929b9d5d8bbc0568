"""A backup is made while everything runs, is checked before it is put back, and never destroys what is there."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from domain.alarms import EventKind
from domain.errors import CaretakerError
from domain.records import EntryKind, TransitionFilter
from store.backup import MANIFEST, OPERATIONAL_FILE, SERIES_FILE, backup, in_use, restore
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.contract.operational_stories import POINT, T0, batch, commit, event

NOW = T0 + 86_400_000


class Installation:
    """Both stores of one data folder, open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.operational = OperationalStore(f"sqlite:///{folder / OPERATIONAL_FILE}")
        self.series = SqliteSeriesStore(folder / SERIES_FILE)

    def take(self, number: int) -> None:
        """What ingest does with one batch, the series cursor last."""
        content = batch(number * 10)
        done = self.operational.commit(commit(entries=((EntryKind.BATCH, content),)))
        self.series.append(content)
        self.operational.set_cursor("school", "series", done.n)

    def close(self) -> None:
        self.operational.close()
        self.series.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with closing(Installation(folder)) as place:
        place.operational.apply_site("school", [("site.yaml", "校: 1")], "li", T0)
        place.operational.acquire("school", "worker-1", T0, 1000)
        place.operational.commit(commit(events=(event(EventKind.RAISE, value=9.5),)))
        for number in range(4):
            place.take(number)
    return folder


def rewrite(archive: Path, change: dict[str, bytes | None]) -> Path:
    """A copy of the archive with members replaced, or left out where there is None."""
    changed = archive.with_name("changed.tar")
    with tarfile.open(archive) as source, tarfile.open(changed, "w") as target:
        held = {member.name: source.extractfile(member).read() for member in source}  # type: ignore[union-attr]
        for name, content in {**held, **change}.items():
            if content is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                target.addfile(entry, io.BytesIO(content))
    return changed


def manifest_of(archive: Path) -> dict[str, object]:
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile(MANIFEST))  # type: ignore[arg-type, no-any-return]


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz"])
def test_what_was_backed_up_is_there_after_restoring(data: Path, tmp_path: Path, name: str) -> None:
    done = backup(data, tmp_path / name, NOW)
    assert [file.name for file in done.manifest.files] == [OPERATIONAL_FILE, SERIES_FILE]
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith("gz") else b"ma")
    manifest = restore(tmp_path / name, tmp_path / "new" / "data", NOW + 5, by="li")
    assert manifest.made_at == "2026-01-02T00:00:00.000Z"
    with closing(Installation(tmp_path / "new" / "data")) as again:
        revision = again.operational.site_revision("school")
        assert revision is not None
        assert revision.documents == (("site.yaml", "校: 1"),)
        assert (again.operational.journal_end("school"), again.series.count("school")) == (4, 12)
        assert len(again.operational.transitions(TransitionFilter(), 9)) == 1
        assert again.operational.verify_audit("school") is None
        (entry,) = again.operational.audit("", 9)
        assert (entry["action"], entry["by"], entry["at"]) == ("restore", "li", NOW + 5)
        again.take(9)  # and it goes on
    assert sorted(path.name for path in (tmp_path / "new" / "data").iterdir()) == [OPERATIONAL_FILE, SERIES_FILE]


def test_a_backup_made_while_ingest_writes_never_has_its_cursor_ahead_of_its_readings(
    data: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    place = Installation(data)

    def ingest() -> None:
        number = 100
        while not stop.is_set():
            place.take(number)
            number += 1

    writer = threading.Thread(target=ingest, name="ingest")
    writer.start()
    try:
        for number in range(5):
            backup(data, tmp_path / f"{number}.tar", NOW)
    finally:
        stop.set()
        writer.join()
        place.close()
    for number in range(5):
        restore(tmp_path / f"{number}.tar", tmp_path / f"data-{number}", NOW)
        with closing(Installation(tmp_path / f"data-{number}")) as again:
            cursor = again.operational.cursor("school", "series")
            held = set(again.series.read("school", POINT, 0, T0 * 2).time.tolist())
            for entry in again.operational.journal("school", 0, cursor):
                assert set(entry.content.time.tolist()) <= held  # type: ignore[union-attr]


def test_a_backup_into_a_folder_is_named_after_its_time_and_leaves_nothing_else(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    done = backup(data, folder, NOW)
    assert done.path == folder / "caretaker-20260102T000000Z.tar"
    assert list(folder.iterdir()) == [done.path]
    with pytest.raises(CaretakerError, match="exists already"):
        backup(data, folder, NOW)


def test_the_manifest_names_every_file_with_its_checksum_and_the_heads_of_the_audit(data: Path, tmp_path: Path) -> None:
    done = backup(data, tmp_path / "all.tar", NOW)
    with closing(Installation(data)) as place:
        assert done.manifest.audit == place.operational.audit_heads()
    with tarfile.open(done.path) as tar:
        assert tar.getnames() == [MANIFEST, OPERATIONAL_FILE, SERIES_FILE]
        for file in done.manifest.files:
            content = tar.extractfile(file.name).read()  # type: ignore[union-attr]
            assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)


def test_without_stores_or_a_place_to_write_there_is_no_backup(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match=f"no {OPERATIONAL_FILE}"):
        backup(tmp_path / "nowhere", tmp_path / "all.tar", NOW)
    with pytest.raises(CaretakerError, match="no backup was made"):
        backup(data, tmp_path / "no" / "such" / "folder.tar", NOW)


def test_readings_kept_elsewhere_are_not_missed(data: Path, tmp_path: Path) -> None:
    (data / SERIES_FILE).unlink()
    done = backup(data, tmp_path / "all.tar", NOW)
    assert [file.name for file in done.manifest.files] == [OPERATIONAL_FILE]
    restore(done.path, tmp_path / "new", NOW)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [OPERATIONAL_FILE]


def test_a_folder_that_is_not_empty_is_only_replaced_by_force(data: Path, tmp_path: Path) -> None:
    done = backup(data, tmp_path / "all.tar", NOW)
    (data / "caretaker.log").write_text("kept")
    with closing(Installation(data)) as place:
        place.take(50)
    with pytest.raises(CaretakerError, match="is not empty") as refused:
        restore(done.path, data, NOW)
    assert "--force" in refused.value.remedy
    restore(done.path, data, NOW, force=True)
    assert (data / "caretaker.log").read_text() == "kept"
    with closing(Installation(data)) as place:
        assert (place.operational.journal_end("school"), place.series.count("school")) == (4, 12)


def test_nothing_is_restored_while_a_process_has_the_stores_open(data: Path, tmp_path: Path) -> None:
    done = backup(data, tmp_path / "all.tar", NOW)
    program = f"""
import sys
from store.operational.store import OperationalStore
store = OperationalStore("sqlite:///{data / OPERATIONAL_FILE}")
store.sites()
print("open", flush=True)
sys.stdin.read()
store.close()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(CaretakerError, match="in use"):
            restore(done.path, data, NOW, force=True)
        assert (in_use(data / OPERATIONAL_FILE), in_use(data / SERIES_FILE)) == (True, False)
        other.communicate("")
    assert not in_use(data / OPERATIONAL_FILE)
    restore(done.path, data, NOW, force=True)


def test_what_is_not_there_or_no_database_is_not_in_use(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all" * 100)
    assert not in_use(tmp_path / "text")
    assert not in_use(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_damaged_archive_is_refused_and_nothing_changes(data: Path, tmp_path: Path) -> None:
    archive = backup(data, tmp_path / "all.tar", NOW).path
    with tarfile.open(archive) as tar:
        good = tar.extractfile(OPERATIONAL_FILE).read()  # type: ignore[union-attr]
    shown = manifest_of(archive)
    future = json.dumps({**shown, "format": 9}).encode()
    stranger = json.dumps({**shown, "files": [{"name": "../../etc/x", "bytes": 0, "sha256": ""}]}).encode()
    cut = json.dumps({**shown, "audit": {"school": "0" * 64}}).encode()
    foreign = json.dumps({**shown, "files": [*shown["files"], {"name": "x", "bytes": 0, "sha256": ""}]}).encode()  # type: ignore[misc]
    cases: list[tuple[dict[str, bytes | None], str]] = [
        ({OPERATIONAL_FILE: good[:-1] + b"\x01"}, "does not match its checksum"),
        ({OPERATIONAL_FILE: None}, "not a whole backup"),
        ({SERIES_FILE: b""}, "does not match its checksum"),
        ({MANIFEST: None}, "not a whole backup"),
        ({MANIFEST: b"{}"}, "not a whole backup"),
        ({MANIFEST: future}, "format 9"),
        ({MANIFEST: stranger}, "not a whole backup"),
        ({MANIFEST: foreign}, "no part of a backup"),
        ({MANIFEST: cut}, "audit trail is not the one"),
    ]
    for change, words in cases:
        with pytest.raises(CaretakerError, match=words):
            restore(rewrite(archive, change), tmp_path / "new", NOW)
        assert list((tmp_path / "new").iterdir()) == []
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(CaretakerError, match="not a whole backup"):
        restore(archive, tmp_path / "new", NOW)
    (tmp_path / "text.tar").write_text("hello")
    for absent in (tmp_path / "text.tar", tmp_path / "absent.tar"):
        with pytest.raises(CaretakerError, match="not a whole backup"):
            restore(absent, tmp_path / "new", NOW)


def test_a_database_that_is_damaged_inside_is_refused_though_its_checksum_matches(data: Path, tmp_path: Path) -> None:
    archive = backup(data, tmp_path / "all.tar", NOW).path
    with tarfile.open(archive) as tar:
        series = bytearray(tar.extractfile(SERIES_FILE).read())  # type: ignore[union-attr]
    series[4096 + 5 : 4096 + 400] = b"\xa5" * 395
    shown = manifest_of(archive)
    for file in shown["files"]:  # type: ignore[attr-defined]
        if file["name"] == SERIES_FILE:
            file["sha256"] = hashlib.sha256(series).hexdigest()
    changed = rewrite(archive, {SERIES_FILE: bytes(series), MANIFEST: json.dumps(shown).encode()})
    with pytest.raises(CaretakerError, match=f"{SERIES_FILE} in the backup is damaged"):
        restore(changed, tmp_path / "new", NOW)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_backup_of_a_damaged_store_says_so(data: Path, tmp_path: Path) -> None:
    (data / OPERATIONAL_FILE).write_bytes(b"not a database" * 1000)
    with pytest.raises(CaretakerError, match="not a database"):
        backup(data, tmp_path / "all.tar", NOW)
    assert not (tmp_path / "all.tar").exists()
