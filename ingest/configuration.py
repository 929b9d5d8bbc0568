"""Which catalogue and rules are in force at a site: found in the store, and given to the judge by revision number.

Decides when they changed, and refuses a revision that cannot be used: the former one stays in force, and the log says
so once. A journal entry names the revisions, so that a replay configures the judge exactly as it was.
"""

from dataclasses import dataclass, replace

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.ports import Ledger
from domain.records import ConfigChange, Revision


@dataclass(frozen=True, slots=True)
class Configuration:
    """Revisions by number, and what they say."""

    change: ConfigChange
    catalogue: Catalogue
    rules: Revision | None


def load(ledger: Ledger, site: str, change: ConfigChange) -> Configuration:
    """What these revisions say. CaretakerError when one is missing, names another site or cannot be read."""
    revision = ledger.site_revision(site, change.site_revision)
    if revision is None or not revision.documents:
        raise CaretakerError(f"catalogue revision {change.site_revision} of {site} is missing", "apply the site again")
    name, text = revision.documents[0]
    catalogue = load_catalogue(text, name)
    if catalogue.site != site:
        raise CaretakerError(f"{name} is the catalogue of {catalogue.site}, not of {site}", "apply the right file")
    rules = ledger.rules_revision(site, change.rules_revision) if change.rules_revision else None
    if change.rules_revision and rules is None:
        raise CaretakerError(f"rules revision {change.rules_revision} of {site} is missing", "apply the rules again")
    return Configuration(change, replace(catalogue, commissioned_at=change.commissioned_at), rules)
