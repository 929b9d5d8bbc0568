"""`caretaker rules …`: check rule files, test them, look at the packs, and apply them to a site."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from domain.catalogue import Catalogue
    from domain.ports import Console
    from rules.model import RuleSet

app = typer.Typer(no_args_is_help=True, help="Rules: check, test, apply; packs: list, show.")
Files = Annotated[list[str], typer.Argument(help="Rule files, or pack:NAME.")]


@app.command("check")
def check(
    files: Files,
    site: Annotated[Path | None, typer.Option(help="The site's file: check that the rules fit its points.")] = None,
) -> None:
    """Read the files as one set; with --site also say what does not fit. Exit code 2 for a mistake."""
    from caretaker.rule_files import load_rule_files, load_site_file

    ruleset = load_rule_files(files)
    if site is not None:
        refuse_errors(ruleset, load_site_file(site))
    typer.echo(f"{len(ruleset.rules)} rules, no mistakes")


@app.command("test")
def test(files: Annotated[list[Path], typer.Argument(help="Test files; see docs/rules.md.")]) -> None:
    """Run rule tests: series in short notation against the alarms expected. Exit code 1 when one fails."""
    from caretaker.rule_files import read_document, read_utf8
    from rules.ruletest import load_tests, run_test

    failed = count = 0
    for file in files:
        folder = file.parent

        def read(name: str, folder: Path = folder) -> tuple[str, str]:
            return read_document(name if name.startswith("pack:") else str(folder / name))

        for case in load_tests(read_utf8(file), str(file), read):
            count += 1
            differences = run_test(case)
            failed += bool(differences)
            typer.echo(f"{'FAIL' if differences else 'ok  '}  {file}: {case.name}")
            for line in differences:
                typer.echo(f"      {line}")
    typer.echo(f"{count} tests, {failed} failed" if failed else f"{count} tests passed")
    if failed:
        raise typer.Exit(1)


@app.command("packs")
def packs() -> None:
    """List the rule packs that come with Caretaker."""
    from rules.packs import load_pack, pack_names, pack_summary

    for name in pack_names():
        typer.echo(f"{name:<16} {len(load_pack(name).rules):>2} rules  {pack_summary(name)}")


@app.command("show")
def show(pack: Annotated[str, typer.Argument(help="The pack's name; `caretaker rules packs` lists them.")]) -> None:
    """Print a pack as the rule file that it is, to read it or to begin one's own with it."""
    from rules.packs import PREFIX, load_pack_text

    typer.echo(load_pack_text(pack.removeprefix(PREFIX)), nl=False)


@app.command("apply")
def apply_rules(
    files: Files,
    site: Annotated[str, typer.Option(help="The site's id.")],
    config: Config = None,
    by: Annotated[str, typer.Option(help="Who does this, for the audit.")] = "command line",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing rules.")] = False,
    loosen_legal: Annotated[
        str, typer.Option(help="Why a legal limit may be loosened, e.g. that the pack's number was wrong; audited.")
    ] = "",
) -> None:
    """Make these files the site's rules: show what changes, store a revision; it takes effect within seconds."""
    from caretaker.process import now_ms
    from caretaker.rule_files import read_document
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console

    documents = [read_document(name) for name in files]
    store = open_console(load_settings(config))
    try:
        named = [(_short(name), text) for name, text in documents]
        apply_documents(store, site, named, by, now_ms(), yes, loosen_legal.strip())
    finally:
        store.close()


def apply_documents(
    console: "Console", site: str, documents: list[tuple[str, str]], by: str, now: int, yes: bool, loosen: str = ""
) -> None:
    """Show the difference, ask when rules go, and store the revision.

    Nothing is stored when a rule does not fit, or a legal limit is loosened without a reason (`loosen`).
    """
    from domain.catalogue_file import load_catalogue
    from domain.errors import CaretakerError, NotFoundError
    from rules.guard import LegalLimitError, loosenings
    from rules.loading import load_documents, load_revision

    names = [name for name, _ in documents]
    if len(set(names)) < len(names):
        raise CaretakerError(f"two files have one name: {', '.join(names)}", "give each file its own name")
    described = console.site_revision(site)
    if described is None:
        known = ", ".join(console.sites()) or "none yet; caretaker site apply FILE makes one"
        raise NotFoundError(f"there is no site {site!r}", f"known: {known}")
    after = load_documents(documents)
    catalogue = load_catalogue(described.documents[0][1], described.documents[0][0])
    refuse_errors(after, catalogue)
    present = console.rules_revision(site)
    before = load_revision(present) if present else None
    loosened = loosenings(before, after, catalogue) if before else []
    if loosened and not loosen:
        raise LegalLimitError(loosened)
    lines = difference(before, after)
    for line in lines:
        typer.echo(line)
    removes = any(line.startswith("-") for line in lines)
    if removes and not yes and not typer.confirm("Rules are removed; their alarms close. Go on?"):
        raise typer.Exit(1)
    for one in loosened:
        typer.echo(f"loosened: {one}")
    who = f"{by}; a legal limit is loosened because: {loosen}" if loosened else by
    revision = console.apply_rules(site, documents, who, now)
    typer.echo(f"{site}: rules revision {revision.number}" + ("" if lines else ", nothing changed"))


def refuse_errors(ruleset: "RuleSet", catalogue: "Catalogue") -> None:
    """Print what is odd about the rules at that site; CaretakerError when some cannot work there."""
    from domain.errors import CaretakerError
    from rules.matching import Weight, check_against

    findings = check_against(ruleset, catalogue)
    for finding in findings:
        typer.echo(str(finding), err=True)
    count = sum(finding.weight is Weight.ERROR for finding in findings)
    if count:
        raise CaretakerError(
            f"{count} of these do not fit the site {catalogue.site}", "mend the lines named above, or the site's file"
        )


def difference(before: "RuleSet | None", after: "RuleSet") -> list[str]:
    """What changes, one line each: `+` new, `-` gone, `~` changed and what of it."""
    from dataclasses import fields

    old = dict(before.rules) if before else {}
    lines = [f"+ {name}" for name in after.rules if name not in old]
    lines += [f"- {name}" for name in old if name not in after.rules]
    for name, rule in after.rules.items():
        if name in old and old[name] != rule:
            changed = [
                field.name for field in fields(rule) if getattr(rule, field.name) != getattr(old[name], field.name)
            ]
            lines.append(f"~ {name}: {', '.join(changed)}")
    return lines


def _short(name: str) -> str:
    """The name under which a document is kept: without the folder that it lay in."""
    return name if name.startswith("pack:") else Path(name).name
