"""`caretaker backup` and `caretaker restore`, as a person types them."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from caretaker.commands.backup import backup, restore
from caretaker.supervisor import STATE_FILE
from domain.errors import CaretakerError
from store.operational.store import OperationalStore
from tests.contract.operational_stories import T0


@pytest.fixture
def commands() -> typer.Typer:
    app = typer.Typer()
    app.command("backup")(backup)
    app.command("restore")(restore)
    return app


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "caretaker.toml").write_text('data_dir = "data"\n')
    with closing(OperationalStore(f"sqlite:///{tmp_path}/data/operational.sqlite")) as store:
        store.apply_site("school", [("site.yaml", "a")], "li", T0)
    return str(tmp_path / "caretaker.toml")


def run(commands: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(commands, words, catch_exceptions=True)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_backup_says_what_it_wrote_and_restore_needs_force_over_data(
    commands: typer.Typer, config: str, tmp_path: Path
) -> None:
    said = run(commands, "backup", str(tmp_path / "all.tar"), "--config", config)
    assert "operational.sqlite" in said
    assert f"Backup written: {tmp_path}/all.tar" in said.replace("\n", "")
    with pytest.raises(CaretakerError, match="is not empty"):
        run(commands, "restore", str(tmp_path / "all.tar"), "--config", config)
    said = run(commands, "restore", str(tmp_path / "all.tar"), "--config", config, "--force", "--by", "li")
    assert "Restored" in said
    with closing(OperationalStore(f"sqlite:///{tmp_path}/data/operational.sqlite")) as store:
        assert store.sites() == ["school"]
        assert [entry["by"] for entry in store.audit("", 9)] == ["li"]


def test_restore_is_refused_while_the_supervisor_runs(commands: typer.Typer, config: str, tmp_path: Path) -> None:
    run(commands, "backup", str(tmp_path / "all.tar"), "--config", config)
    state = tmp_path / "data" / "run" / STATE_FILE
    state.parent.mkdir()
    state.write_text(json.dumps({"pid": os.getpid()}))
    with pytest.raises(CaretakerError, match=f"process {os.getpid()}"):
        run(commands, "restore", str(tmp_path / "all.tar"), "--config", config, "--force")


@pytest.mark.parametrize(
    ("stores", "named"),
    [
        ("operational = 'postgresql://u:cret@h/n'", "PostgreSQL (stores.operational)"),
        ("series = 'http://u:cret@h:8086/n'", "InfluxDB (stores.series)"),
    ],
)
def test_what_is_on_a_server_is_not_half_backed_up(
    commands: typer.Typer, config: str, tmp_path: Path, stores: str, named: str
) -> None:
    Path(config).write_text(f"data_dir = 'data'\n[stores]\n{stores}\n")
    (tmp_path / "backup.tar").write_bytes(b"")
    for words in (("backup", str(tmp_path / "other.tar")), ("restore", str(tmp_path / "backup.tar"))):
        with pytest.raises(CaretakerError) as refused:
            run(commands, *words, "--config", config)
        assert named in refused.value.message
        assert "first pg_dump" in refused.value.remedy
        assert "cret" not in str(refused.value)
    assert not (tmp_path / "other.tar").exists()
