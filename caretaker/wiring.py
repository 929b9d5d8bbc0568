"""Which concrete parts meet each seam: the only module that names a store, an engine and a channel.

Every function is one straight line from settings to an object; nothing happens at import. Server only.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from api.settings import ShelfLimits
from caretaker.settings import SQLITE, Settings, read_text
from domain.catalogue import Catalogue, Label
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.incidents import IncidentPlan
from domain.ports import Judge, Ledger, SeriesStore
from domain.records import Revision
from domain.system import TITLES
from domain.times import parse_duration
from ingest.history import CurrentHistory
from rules.engine import Engine
from rules.incident_rules import incident_plan
from rules.loading import load_documents, load_revision
from rules.model import RuleSet
from rules.packs import load_pack_text
from store.history_breaker import HistoryBreaker
from store.influx.address import parse_address
from store.influx.store import InfluxSeriesStore
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore

AREAS_FOR_SECONDS = 60.0
UP = "caretaker up"  # who applied what the settings name

_log = structlog.get_logger("caretaker.wiring")


def open_operational(settings: Settings) -> OperationalStore:
    """The operational store, migrated to this program's version. CaretakerError when it cannot be opened."""
    _make_data_dir(settings)
    if settings.stores.operational != SQLITE:
        return OperationalStore(settings.stores.operational)
    with _explained(settings.operational_path):
        return OperationalStore(f"sqlite:///{settings.operational_path}")


def open_console(settings: Settings) -> OperationalStore:
    """The operational store, as the command line and the API use it."""
    return open_operational(settings)


def open_series(settings: Settings) -> SeriesStore:
    """The store of readings. CaretakerError when it cannot be opened; a server is not asked before the first use."""
    if settings.stores.series != SQLITE:
        return InfluxSeriesStore(parse_address(settings.stores.series), area_lookup(settings))
    _make_data_dir(settings)
    with _explained(settings.series_path):
        return SqliteSeriesStore(settings.series_path)


def area_lookup(settings: Settings) -> Callable[[str], dict[str, str]]:
    """Asset -> area of a site as its newest catalogue says, for the readings' tags; looked up once a minute."""
    known: dict[str, tuple[float, int, dict[str, str]]] = {}

    def areas(site: str) -> dict[str, str]:
        now = time.monotonic()
        looked_up, number, found = known.get(site, (-AREAS_FOR_SECONDS, 0, {}))
        if now - looked_up >= AREAS_FOR_SECONDS:
            # Reading a big site's file takes seconds, in which ingest would stand still: once per revision.
            newer = _areas(settings, site, number)
            known[site] = (now, *(newer or (number, found)))
        return known[site][2]

    return areas


def judge_factory(
    series: SeriesStore, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[str], Judge]:
    """Makes the engine of a site; late data is judged with the stored readings, while their store answers and has
    caught up with the journal."""
    history = HistoryBreaker(CurrentHistory(series, ledger), monotonic)

    def make(site: str) -> Judge:
        return Engine(site, history=history)

    return make


def shelf_limits(settings: Settings) -> ShelfLimits:
    """How long people may set an alarm aside."""
    return ShelfLimits(parse_duration(settings.alarms.shelve_max), parse_duration(settings.alarms.shelve_max_legal))


def rule_documents(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Name and text of each rule file or `pack:NAME`. InputError or CaretakerError when one cannot be read."""
    documents = []
    for name in names:
        if name.startswith("pack:"):
            documents.append((name, load_pack_text(name.removeprefix("pack:"))))
        else:
            documents.append((name, read_text(Path(name))))
    return tuple(documents)


def rule_titles(store: OperationalStore) -> Callable[[str, str], Label | None]:
    """Looks up the title of a rule or system alarm by (site, rule); parses a site's rules once per revision."""
    known: dict[str, tuple[int, RuleSet]] = {}

    def title(site: str, rule: str) -> Label | None:
        revision = store.rules_revision(site)
        if rule in TITLES or revision is None:
            return TITLES.get(rule)
        if site not in known or known[site][0] != revision.number:
            known[site] = (revision.number, load_revision(revision))
        found = known[site][1].rules.get(rule)
        return found.title if found else None

    return title


def incident_plans(store: OperationalStore) -> Callable[[str], IncidentPlan | None]:
    """Looks up a site's incident rules; parses catalogue and rules once per revision."""
    known: dict[str, tuple[tuple[int, int], IncidentPlan]] = {}

    def plan(site: str) -> IncidentPlan | None:
        described, rules = store.site_revision(site), store.rules_revision(site)
        if described is None or rules is None:
            return None
        key = (described.number, rules.number)
        if site not in known or known[site][0] != key:
            catalogue = load_catalogue(described.documents[0][1], described.documents[0][0])
            known[site] = (key, incident_plan(load_revision(rules), catalogue))
        return known[site][1]

    return plan


def apply_configured(settings: Settings, store: OperationalStore, now: int) -> list[str]:
    """Apply the configured site and rule files; the ids of the sites. A bad file stops before anything is changed.

    Rules that people saved since (on the page, with `caretaker rules apply`) stay: see `_apply_rules`.
    """
    rules = rule_documents(settings.rules)
    load_documents(rules)
    sites: dict[str, tuple[Catalogue, Path, str]] = {}
    for path in settings.sites:
        text = read_text(path)
        catalogue = load_catalogue(text, str(path))
        if catalogue.site in sites:
            raise CaretakerError(
                f"{sites[catalogue.site][1]} and {path} both describe the site {catalogue.site}", "give each its own id"
            )
        sites[catalogue.site] = (catalogue, path, text)
    for catalogue, path, text in sites.values():
        store.apply_site(catalogue.site, ((path.name, text),), UP, now)
        if store.commissioned_at(catalogue.site) is None:
            store.commission(catalogue.site, catalogue.commissioned_at or now, UP, now)
        _apply_rules(store, catalogue.site, rules, now)
    return store.sites()


def _apply_rules(store: OperationalStore, site: str, rules: tuple[tuple[str, str], ...], now: int) -> None:
    """The configured rules, unless people saved others since these were applied here: then theirs stay in force, and
    the log says how to take the configured ones when these have changed since."""
    newest = store.rules_revision(site)
    if newest is None or newest.applied_by == UP:
        store.apply_rules(site, rules, UP, now)
        return
    own = next((one for one in _revisions(store, site) if one.applied_by == UP), None)
    if own is None or own.documents != rules:
        _log.warning(
            "the configured rules are not those that were applied last; what people saved since stays in force",
            site=site, revision=newest.number, by=newest.applied_by,
            remedy=f"to take the configured ones: caretaker rules apply … --site {site}",
        )  # fmt: skip


def _revisions(store: OperationalStore, site: str) -> Iterator[Revision]:
    """The site's rules revisions, newest first."""
    before: int | None = None
    while page := store.rules_revisions(site, 20, before):
        yield from page
        before = page[-1].number


def _areas(settings: Settings, site: str, before: int) -> tuple[int, dict[str, str]] | None:
    """Number and areas of the newest catalogue, if it is another than revision `before`."""
    store = open_operational(settings)
    try:
        revision = store.site_revision(site)
    finally:
        store.close()
    if revision is None or revision.number == before:
        return None
    catalogue = load_catalogue(revision.documents[0][1], revision.documents[0][0])
    return revision.number, {asset.id: asset.area for asset in catalogue.assets}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says of a file that it cannot use into words for a person."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        raise CaretakerError(
            f"{path} cannot be opened: {said}", "check the folder's rights; if it is damaged, caretaker restore"
        ) from error


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaretakerError(
            f"the data folder {settings.data_dir} cannot be made: {error.strerror}", "set data_dir to a writable folder"
        ) from None
