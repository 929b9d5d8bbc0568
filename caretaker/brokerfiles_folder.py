"""The folder of files that Mosquitto reads: changed by one process at a time, each file as a whole, readable to none.

A file is replaced by renaming, so the broker never reads half of one, and gets mode 0600 before anything is in it. As
root it is given to the owner of the folder (Mosquitto's user), who must read it again at each SIGHUP.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from caretaker.brokerfiles import Account, access_file, read_account, users
from domain.errors import CaretakerError, InputError, Place

PASSWORDS, ACCESS, LISTENER = "passwords", "access", "caretaker.conf"
AUTHORITY, CERTIFICATE, KEY = "ca.crt", "server.crt", "server.key"
PRIVATE, PUBLIC = 0o600, 0o644


class BrokerFolder:
    """One such folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def accounts(self) -> list[Account]:
        """Everyone who has a credential, by user name. CaretakerError when the file cannot be read."""
        return [read_account(user) for user in sorted(users(self.text(PASSWORDS)))]

    def change_passwords(self, change: Callable[[str], str]) -> None:
        """Replace the password file by what `change` makes of it, and the access file to match.

        The access file goes first when a user comes and last when one goes: at no moment does anybody have more
        rights than before and after.
        """
        with self.locked():
            before = self.text(PASSWORDS)
            after = change(before)
            names = sorted(users(after))
            try:
                access = access_file(self.text(ACCESS), [read_account(name) for name in names])
            except ValueError as error:
                raise InputError(
                    Place(str(self.path / ACCESS)), str(error), "put it back below the lines made by caretaker agents"
                ) from None
            files = [(ACCESS, access), (PASSWORDS, after)]
            if len(names) < len(users(before)):
                files.reverse()
            for name, text in files:
                self.write(name, text.encode(), PRIVATE)

    def text(self, name: str) -> str:
        """A file's text, empty when there is none. CaretakerError when it cannot be read."""
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise CaretakerError(f"{path} cannot be read: {error.strerror}", self._who()) from None
        except UnicodeDecodeError:
            raise InputError(Place(str(path)), "is not UTF-8 text", "mend it, or move it away") from None

    def write(self, name: str, content: bytes, mode: int) -> None:
        """Replace the file."""
        path = self.path / name
        try:
            make_folder(self.path, 0o750)
            write_whole(path, content, mode)
        except OSError as error:
            raise CaretakerError(f"{path} cannot be written: {error.strerror}", self._who()) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other `caretaker agents` changes the folder meanwhile; it waits for one that does."""
        try:
            make_folder(self.path, 0o750)
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CaretakerError(f"the folder {self.path} cannot be used: {error.strerror}", self._who()) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _who(self) -> str:
        return "run this as the folder's owner (the broker's user) or as root, or choose another --broker-dir"


def make_folder(path: Path, mode: int) -> None:
    """Make the folder, and those above it, unless it is there; as root it is owned as the first that was there."""
    if path.is_dir():
        return
    make_folder(path.parent, mode)
    with suppress(FileExistsError):
        path.mkdir(mode=mode)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Replace the file at once, synced, with that mode; as root owned as its folder is. OSError when it cannot be.

    Another user than root who does not own the folder gets a PermissionError: its owner could not read the file.
    """
    owner = path.parent.stat()
    if os.geteuid() not in (0, owner.st_uid):
        raise PermissionError(1, "the folder belongs to another user")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
