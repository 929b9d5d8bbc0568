"""Settings: one file, overridden by the environment; a slip is named with its line."""

from pathlib import Path

import pytest

from caretaker.settings import Settings, child_environment, load_settings, read_text, supervised
from domain.errors import CaretakerError, InputError


def written(folder: Path, text: str) -> Path:
    path = folder / "caretaker.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_runs_on_embedded_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None)
    assert settings == Settings()
    assert settings.broker_url == "mqtt://127.0.0.1:1883"
    assert settings.series_path == Path("data/series.sqlite")


def test_caretaker_toml_in_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "[web]\nport = 9000\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings(None).web.port == 9000


def test_paths_are_relative_to_the_file_and_packs_are_not_paths(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, 'data_dir = "d"\nsites = ["s.yaml", "/abs.yaml"]\nrules = ["pack:cn-canteen", "r.yaml"]\n')
    )
    assert settings.data_dir == tmp_path / "d"
    assert settings.sites == (tmp_path / "s.yaml", Path("/abs.yaml"))
    assert settings.rules == ("pack:cn-canteen", str(tmp_path / "r.yaml"))
    assert settings.operational_path == tmp_path / "d" / "operational.sqlite"
    assert settings.run_dir == tmp_path / "d" / "run"


def test_the_environment_wins_over_the_file_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARETAKER_BROKER__URL", "mqtt://broker:1884")
    path = written(tmp_path, "[broker]\nurl = 'embedded'\nport = 2000\n[web]\nport = 9000\n")
    settings = load_settings(path)
    assert (settings.broker_url, settings.broker.port, settings.web.port) == ("mqtt://broker:1884", 2000, 9000)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[broker]\nurl = 'http://x'\n", 2, "mqtt://host:1883"),
        ("[broker]\nurl = 'mqtt://'\n", 2, "mqtt://host:1883"),
        ("[broker]\nurl = 'mqtt://host:99999'\n", 2, "mqtt://host:1883"),
        ("[broker]\nurl = 'mqtt://li:secret@host:many'\n", 2, "mqtt://host:1883"),
        ("[web]\nport = 0\n", 2, "greater than or equal to 1"),
        ("[web]\n\nport = 99999\n", 3, "less than or equal to 65535"),
        ("data_dir = 'x'\ndata_dri = 'x'\n", 2, "no such setting"),
        ("[ingest]\nsnapshot_every = '60'\n", 2, "not a duration"),
        ("[ingest]\nsnapshot_every = '0s'\n", 2, "longer than zero"),
        ("[ingest]\nlease = '15'\n", 2, "not a duration"),
        ("[ingest]\nlease = '4999ms'\n", 2, "from 5s to 5min"),
        ("[ingest]\nlease = '301s'\n", 2, "from 5s to 5min"),
        ("[log]\nlevel = 'loud'\n", 2, "'debug'"),
        ("[web\n", 1, "not TOML"),
        ("[stores]\nseries = 'mongodb'\n", 2, "sqlite"),
    ],
)
def test_a_slip_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_settings(path)
    assert (caught.value.place.file, caught.value.place.line) == (str(path), line)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy


def test_a_slip_in_a_variable_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETAKER_WEB__PORT", "many")
    path = written(tmp_path, "[web]\nport = 9000\n")
    with pytest.raises(CaretakerError, match="CARETAKER_WEB__PORT") as caught:
        load_settings(path)
    assert not isinstance(caught.value, InputError)


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_settings(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path)
    (tmp_path / "latin").write_bytes(b"a = '\xe9'")
    with pytest.raises(InputError, match="not UTF-8"):
        read_text(tmp_path / "latin")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfa = 1")
    assert read_text(tmp_path / "bom") == "a = 1"


def test_a_child_knows_that_it_is_supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not supervised()
    monkeypatch.setenv("CARETAKER_SUPERVISED", child_environment()["CARETAKER_SUPERVISED"])
    assert supervised()


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and hasattr(part, "model_fields"):
            assert part.__doc__
            for inner, inner_field in part.model_fields.items():
                assert inner_field.description, f"{name}.{inner}"
        else:
            assert field.description, name


def test_the_operational_store_may_be_a_postgresql_whose_password_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://caretaker:se%2Fcret@db.example:5432/caretaker?sslmode=verify-full"
    settings = load_settings(written(tmp_path, f"[stores]\noperational = '{url}'\n"))
    assert settings.stores.operational == url
    assert "cret" not in repr(settings)
    assert "cret" not in str(settings)


@pytest.mark.parametrize(
    "url",
    [
        "", "postgres", "postgres://u:cret@h/n", "mysql://u:cret@h/n", "postgresql://u:cret@h", "postgresql://u:cret@h/",
        "postgresql:///n", "postgresql://u:cret@h:0/n", "postgresql://u:cret@h:99999/n", "postgresql://u:a/cret@h/n",
        "postgresql://u:a#cret@h/n", "postgresql://u:cret@h/n#x", "postgresql://u:a?cret@h/n",
    ],
)  # fmt: skip
def test_what_is_no_operational_store_is_named_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="postgresql://user:password@host") as caught:
        load_settings(written(tmp_path, f"[stores]\nseries = 'sqlite'\noperational = '{url}'\n"))
    assert caught.value.place.line == 3
    assert "cret" not in str(caught.value)
