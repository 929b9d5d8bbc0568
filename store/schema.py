"""The operational store's tables, in one place, in types that SQLite and PostgreSQL share. Times are UTC ms.

The migrations in `store/migrations` make exactly these tables (a test compares). Each fact has one home: an agent's
`through` is in `positions`, an alarm's present in `alarms`, its past in `transitions`, its out-of-limit time in
`excursions`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from store.operational.plain import plain_text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives ascending ids of its own only to a column that is exactly INTEGER.
_Id = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str) -> Column[str]:
    return Column(name, String(127), primary_key=True)


class _PlainText(TypeDecorator[str]):
    """A text of any length, made plain on its way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """SQLAlchemy's hook: the value that is written."""
        return None if value is None else plain_text(value)


def _text(name: str, default: str | None = None) -> Column[str]:
    return Column(name, _PlainText, nullable=False, server_default=default)


def _number(name: str, nullable: bool = False, default: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, server_default=default)


def _ascending() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _revisions(name: str) -> Table:
    return Table(
        name, metadata,
        _key("site"), Column("number", Integer, primary_key=True, autoincrement=False),
        _text("documents"), _number("applied_at"), _text("applied_by"), _text("why", ""),
    )  # fmt: skip


site_revisions = _revisions("site_revisions")
rules_revisions = _revisions("rules_revisions")
commissioning = Table("commissioning", metadata, _key("site"), _number("at", nullable=True))

leases = Table("leases", metadata, _key("site"), _text("worker"), _number("epoch"), _number("until"))

# The number of the newest entry outlives trimming, so numbers are never used twice; `bytes` is what is held now. The
# newest commit is known by its epoch and serial: tried again, it is found here, with the transitions it made.
journal_ends = Table(
    "journal_ends", metadata,
    _key("site"), _number("n"), _number("bytes"),
    _number("epoch", default="0"), _number("serial", default="0"),
    _number("first_transition", default="0"), _number("last_transition", default="0"),
)  # fmt: skip
journal = Table(
    "journal", metadata,
    _key("site"), Column("n", BigInteger, primary_key=True, autoincrement=False),
    _number("received"), Column("kind", String(16), nullable=False), Column("payload", LargeBinary, nullable=False),
)  # fmt: skip
cursors = Table("cursors", metadata, _key("site"), _key("name"), _number("n"))
positions = Table("positions", metadata, _key("site"), _key("agent"), _text("boot"), _number("through"))
owners = Table("owners", metadata, _key("site"), _key("point"), _text("agent"), _number("since"))
snapshots = Table(
    "snapshots", metadata, _key("site"), _number("n"), Column("blob", LargeBinary, nullable=False), _number("at")
)

# `lifts_at` is the earliest `until` of the overlays, so that what has ended is found by an index.
alarms = Table(
    "alarms", metadata,
    _key("site"), _key("rule"), _key("point"),
    Column("state", String(32), nullable=False), Column("priority", String(16)), Column("level", Integer),
    Column("value", Float(53)), Column("reason", String(32)),
    _number("raised_at", nullable=True), _number("changed_at", nullable=True),
    _text("acknowledged_by", ""), _number("acknowledged_at", nullable=True), _text("overlays", "[]"),
    Column("rules_revision", Integer, nullable=False), Column("version", Integer, nullable=False),
    _text("confirmed_by", ""), _number("confirmed_at", nullable=True),
    _text("silenced_by", ""), _number("silenced_at", nullable=True), _text("assigned_to", ""),
    _number("lifts_at", nullable=True),
    Index("ix_alarms_site_state", "site", "state"), Index("ix_alarms_lifts_at", "lifts_at"),
)  # fmt: skip
transitions = Table(
    "transitions", metadata,
    _ascending(), Column("site", String(127), nullable=False), Column("rule", String(127), nullable=False),
    Column("point", String(127), nullable=False), Column("event", String(32), nullable=False),
    Column("source", String(32), nullable=False), Column("target", String(32), nullable=False),
    Column("reason", String(32), nullable=False), Column("priority", String(16)), Column("level", Integer),
    Column("value", Float(53)), _number("at"), _number("detected_at"),
    Column("retroactive", Boolean, nullable=False), Column("answer_required", Boolean, nullable=False),
    _text("by", ""), _text("note", ""), Column("rules_revision", Integer, nullable=False),
    _number("until", nullable=True), Column("nuisance", String(16)), Column("remedy", String(16)),
    Column("food", String(16)), _text("assignee", ""),
    Index("ix_transitions_site_id", "site", "id"), Index("ix_transitions_site_point_at", "site", "point", "at"),
    Index("ix_transitions_site_at", "site", "at"),
    sqlite_autoincrement=True,
)  # fmt: skip
# Assets out of service: their alarms carry the overlay, and one that is raised for the first time gets it from here.
out_of_service = Table(
    "out_of_service", metadata,
    _key("site"), _key("asset"), _text("by"), _text("why"), _number("since"), _number("until", nullable=True),
)  # fmt: skip
# `past`: an excursion of the past whose end has not been told yet (its `end` equals its `start` until then).
excursions = Table(
    "excursions", metadata,
    _ascending(), Column("site", String(127), nullable=False), Column("rule", String(127), nullable=False),
    Column("point", String(127), nullable=False), _number("start"), _number("end", nullable=True),
    Column("priority", String(16)), Column("past", Boolean, nullable=False),
    Index("ix_excursions_site_start", "site", "start"), Index("ix_excursions_site_point_rule", "site", "point", "rule"),
    sqlite_autoincrement=True,
)  # fmt: skip

# What people decide about the food of an excursion; the newest of an excursion stands.
food_decisions = Table(
    "food_decisions", metadata,
    _ascending(), Column("site", String(127), nullable=False),
    Column("excursion", _Id, ForeignKey("excursions.id"), nullable=False, index=True),
    Column("option", String(16), nullable=False), Column("fate", String(16), nullable=False),
    _text("by"), _number("at"), _text("note", ""), _text("seen", "{}"),
    sqlite_autoincrement=True,
)  # fmt: skip

notification_outbox = Table(
    "notification_outbox", metadata,
    Column("transition_id", _Id, ForeignKey("transitions.id"), primary_key=True, autoincrement=False),
)  # fmt: skip
notices = Table(
    "notices", metadata,
    _ascending(), Column("transition_id", _Id, ForeignKey("transitions.id"), nullable=False, index=True),
    _text("decision"), _text("channel"), _number("at"), _text("outcome"),
    sqlite_autoincrement=True,
)  # fmt: skip

# What is about no single transition (the weekly list, an escalation): once per subject and channel.
sent_once = Table(
    "sent_once", metadata,
    Column("subject", String(255), primary_key=True), _key("channel"), Column("site", String(127), nullable=False),
    _number("at"), _text("outcome"),
    Index("ix_sent_once_site_at", "site", "at"),
)  # fmt: skip

# `home` is the site whose commit brought the letter: a sender cannot widen the bound by making up site names.
dead_letters = Table(
    "dead_letters", metadata,
    _ascending(), Column("home", String(127), nullable=False), _text("site"), _number("received"), _text("topic"),
    Column("payload", LargeBinary, nullable=False), _text("reason"), _text("detail"),
    _number("replay_asked", nullable=True), _number("replayed", nullable=True),
    Index("ix_dead_letters_home_id", "home", "id"), Index("ix_dead_letters_site_id", "site", "id"),
    Index("ix_dead_letters_replay_asked", "replay_asked"),
    sqlite_autoincrement=True,
)  # fmt: skip
dead_letter_counts = Table(
    "dead_letter_counts", metadata, _key("home"), _number("kept"), _number("kept_bytes"), _number("dropped")
)
discoveries = Table(
    "discoveries", metadata,
    _key("site"), _key("point"), _text("agent"), _text("unit"), _number("first_seen"), _number("last_seen"),
    Column("value", Float(53)),
)  # fmt: skip

agents = Table(
    "agents", metadata,
    _key("site"), _key("agent"), Column("online", Boolean, nullable=False), _number("since"), _text("boot", ""),
    _text("birth", ""),
)  # fmt: skip
latest = Table(
    "latest", metadata,
    _key("site"), _key("point"), _number("time"), Column("value", Float(53)),
    Column("quality", String(16), nullable=False), _number("received"), _text("text", ""),
)  # fmt: skip
processes = Table(
    "processes", metadata,
    _key("name"), _number("pid"), _number("started_at"), _number("beat_at"), _text("info", "{}"),
)  # fmt: skip

audit = Table(
    "audit", metadata,
    _ascending(), Column("site", String(127), nullable=False), _number("at"), _text("by"), _text("action"),
    _text("subject"), _text("detail"), Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_site_id", "site", "id"),
    sqlite_autoincrement=True,
)  # fmt: skip
