"""`caretaker site …`: the catalogue's way into the database, and the moment a site goes live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from domain.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True, help="Sites: apply a catalogue file, list, commission.")
By = Annotated[str, typer.Option(help="Who does this, for the audit.")]


@app.command("apply")
def apply_site(
    file: Annotated[Path, typer.Argument(help="The site's YAML file, e.g. examples/school/site.yaml.")],
    config: Config = None,
    by: By = "command line",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing points.")] = False,
) -> None:
    """Show what the file changes, store it as a revision; it takes effect within seconds, without a restart."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings, read_text
    from caretaker.wiring import open_console
    from domain.catalogue_file import load_catalogue

    settings = load_settings(config)
    text = read_text(file)
    catalogue = load_catalogue(text, str(file))
    store = open_console(settings)
    try:
        present = store.site_revision(catalogue.site)
        before = load_catalogue(present.documents[0][1], present.documents[0][0]) if present else None
        lines = difference(before, catalogue)
        for line in lines:
            typer.echo(line)
        removes = any(line.startswith("-") for line in lines)
        if removes and not yes and not typer.confirm("Points are removed; their alarms close. Go on?"):
            raise typer.Exit(1)
        revision = store.apply_site(catalogue.site, ((file.name, text),), by, now_ms())
        if store.commissioned_at(catalogue.site) is None:
            store.commission(catalogue.site, catalogue.commissioned_at or now_ms(), by, now_ms())
        typer.echo(f"{catalogue.site}: revision {revision.number}" + ("" if lines else ", nothing changed"))
    finally:
        store.close()


@app.command("list")
def list_sites(config: Config = None) -> None:
    """List the sites with their revision and the time they went live."""
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console
    from domain.times import iso

    store = open_console(load_settings(config))
    try:
        if not store.sites():
            typer.echo("No site is described yet: caretaker site apply FILE (see examples/school/site.yaml)")
        for site in store.sites():
            revision, live = store.site_revision(site), store.commissioned_at(site)
            assert revision is not None
            typer.echo(f"{site}  revision {revision.number}  {'live since ' + iso(live) if live else 'not live yet'}")
    finally:
        store.close()


@app.command("commission")
def commission(
    site: Annotated[str, typer.Argument(help="The site's id.")],
    at: Annotated[str, typer.Option(help="When it goes live (RFC 3339); default now.")] = "",
    off: Annotated[bool, typer.Option(help="Take it back: still being commissioned, nobody is asked.")] = False,
    config: Config = None,
    by: By = "command line",
) -> None:
    """Say from when on alarms need an answer."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console
    from domain.errors import CaretakerError, NotFoundError
    from domain.times import parse_time

    if off and at:
        raise CaretakerError("--at and --off contradict each other", "give one of them")
    try:
        moment = None if off else parse_time(at) if at else now_ms()
    except ValueError as error:
        raise CaretakerError(f"--at: {error}") from None
    store = open_console(load_settings(config))
    try:
        if site not in store.sites():
            raise NotFoundError(f"there is no site {site!r}", f"known: {', '.join(store.sites()) or 'none yet'}")
        store.commission(site, moment, by, now_ms())
    finally:
        store.close()


def difference(before: "Catalogue | None", after: "Catalogue") -> list[str]:
    """What changes, one line each: `+` new, `-` gone, `~` changed; points by `asset/metric`."""
    old = dict(before.by_name) if before else {}
    lines = [f"+ {name}" for name in after.by_name if name not in old]
    lines += [f"- {name}" for name in old if name not in after.by_name]
    lines += [f"~ {name}" for name, point in after.by_name.items() if name in old and old[name] != point]
    if before and before != after and not lines:
        lines.append("~ titles, areas or other properties")
    return lines
