"""The folder of the broker's files: whole files, readable to one user, never more rights than before and after."""

import os
import stat
import threading
from pathlib import Path

import pytest

from caretaker.brokerfiles import BEGIN, with_line, without_user
from caretaker.brokerfiles_folder import ACCESS, PASSWORDS, BrokerFolder, make_folder, write_whole
from domain.errors import CaretakerError, InputError

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


@pytest.fixture
def folder(tmp_path: Path) -> BrokerFolder:
    return BrokerFolder(tmp_path / "broker")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_absent_folder_has_no_accounts_and_is_not_made_by_looking(folder: BrokerFolder) -> None:
    assert folder.accounts() == []
    assert not folder.path.exists()


def test_a_change_writes_both_files_for_the_owner_alone(folder: BrokerFolder) -> None:
    folder.change_passwords(lambda text: with_line(text, "school.canteen:x"))
    assert [account.user for account in folder.accounts()] == ["school.canteen"]
    assert "user school.canteen" in folder.text(ACCESS)
    assert mode(folder.path / PASSWORDS) == mode(folder.path / ACCESS) == 0o600
    assert mode(folder.path) == 0o750
    assert sorted(path.name for path in folder.path.iterdir()) == [ACCESS, PASSWORDS]  # nothing temporary is left


def test_rights_come_before_the_password_and_go_after_it(folder: BrokerFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    write = folder.write
    monkeypatch.setattr(folder, "write", lambda name, *rest: (order.append(name), write(name, *rest)))
    folder.change_passwords(lambda text: with_line(text, "school.canteen:x"))
    folder.change_passwords(lambda text: without_user(text, "school.canteen"))
    assert order == [ACCESS, PASSWORDS, PASSWORDS, ACCESS]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old, new = b"old" * 100_000, b"new" * 100_000
    write_whole(path, old, 0o600)
    with path.open("rb") as reader:
        begun = reader.read(10)
        write_whole(path, new, 0o600)
        assert begun + reader.read() == old
    assert path.read_bytes() == new


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old", 0o600)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", 0o600)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_looser_mode_is_tightened(folder: BrokerFolder) -> None:
    folder.write(PASSWORDS, b"", 0o600)
    (folder.path / PASSWORDS).chmod(0o644)
    folder.change_passwords(lambda text: text)
    assert mode(folder.path / PASSWORDS) == 0o600


def test_two_at_once_lose_nothing(folder: BrokerFolder) -> None:
    def add(number: int) -> None:
        folder.change_passwords(lambda text: with_line(text, f"school.a{number}:x"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folder.accounts()) == 8
    assert folder.text(ACCESS).count("user school.a") == 8


def test_what_cannot_be_read_or_written_is_told_with_a_remedy(folder: BrokerFolder, tmp_path: Path) -> None:
    (tmp_path / "broker").write_text("a file")
    with pytest.raises(CaretakerError, match="cannot be used") as caught:
        folder.change_passwords(lambda text: text)
    assert "--broker-dir" in caught.value.remedy
    (tmp_path / "broker").unlink()
    folder.write(PASSWORDS, b"\xff", 0o600)
    with pytest.raises(InputError, match="UTF-8"):
        folder.accounts()
    (folder.path / PASSWORDS).unlink()
    (folder.path / PASSWORDS).mkdir()
    with pytest.raises(CaretakerError, match="cannot be read"):
        folder.accounts()
    with pytest.raises(CaretakerError, match="cannot be written"):
        folder.write(PASSWORDS, b"", 0o600)


def test_an_access_file_that_a_person_cut_is_not_guessed_at(folder: BrokerFolder) -> None:
    folder.write(ACCESS, f"{BEGIN}\nuser x\n".encode(), 0o600)
    with pytest.raises(InputError, match="end ---"):
        folder.change_passwords(lambda text: with_line(text, "a.b:x"))
    assert folder.accounts() == []


@root_only
def test_as_root_files_and_folders_belong_to_whom_the_folder_belongs(folder: BrokerFolder, tmp_path: Path) -> None:
    folder.path.mkdir()
    os.chown(folder.path, 12345, 12346)
    folder.change_passwords(lambda text: with_line(text, "a.b:x"))
    made = (folder.path / PASSWORDS).stat()
    assert (made.st_uid, made.st_gid) == (12345, 12346)
    make_folder(folder.path / "deeper" / "still", 0o700)
    deep = (folder.path / "deeper" / "still").stat()
    assert (deep.st_uid, stat.S_IMODE(deep.st_mode)) == (12345, 0o700)


def test_another_users_folder_is_refused_to_all_but_root(folder: BrokerFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.path.mkdir()
    stranger = folder.path.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(CaretakerError, match="cannot be written") as caught:
        folder.change_passwords(lambda text: with_line(text, "a.b:x"))
    assert "root" in caught.value.remedy
