"""The first schema: every table of the operational store, and the triggers that keep the audit append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    for make in (
        _configuration,
        _journal,
        _derived,
        _alarms,
        _transitions,
        _excursions,
        _notices,
        _letters,
        _presence,
        _audit,
    ):
        make()
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )


def _configuration() -> None:
    op.create_table(
        "site_revisions",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "number", name=op.f("pk_site_revisions")),
    )
    op.create_table(
        "rules_revisions",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("site", "number", name=op.f("pk_rules_revisions")),
    )
    op.create_table(
        "commissioning",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_commissioning")),
    )


def _journal() -> None:
    op.create_table(
        "leases",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_leases")),
    )
    op.create_table(
        "journal_ends",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_journal_ends")),
    )
    op.create_table(
        "journal",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("site", "n", name=op.f("pk_journal")),
    )
    op.create_table(
        "cursors",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("name", sa.String(length=127), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "name", name=op.f("pk_cursors")),
    )


def _derived() -> None:
    op.create_table(
        "positions",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("agent", sa.String(length=127), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "agent", name=op.f("pk_positions")),
    )
    op.create_table(
        "owners",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", "point", name=op.f("pk_owners")),
    )
    op.create_table(
        "snapshots",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_snapshots")),
    )


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("rule", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("raised_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), server_default="", nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("overlays", sa.Text(), server_default="[]", nullable=False),
        sa.Column("rules_revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site", "rule", "point", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_site_state", "alarms", ["site", "state"])


def _transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("rule", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("retroactive", sa.Boolean(), nullable=False),
        sa.Column("answer_required", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("rules_revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_transitions_site_at", "transitions", ["site", "at"])
    op.create_index("ix_transitions_site_id", "transitions", ["site", "id"])
    op.create_index("ix_transitions_site_point_at", "transitions", ["site", "point", "at"])


def _excursions() -> None:
    op.create_table(
        "excursions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("rule", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.String(length=16), nullable=True),
        sa.Column("past", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_excursions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_excursions_site_point_rule", "excursions", ["site", "point", "rule"])
    op.create_index("ix_excursions_site_start", "excursions", ["site", "start"])


def _notices() -> None:
    op.create_table(
        "notification_outbox",
        sa.Column("transition_id", _ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["transition_id"], ["transitions.id"], name=op.f("fk_notification_outbox_transition_id")
        ),
        sa.PrimaryKeyConstraint("transition_id", name=op.f("pk_notification_outbox")),
    )
    op.create_table(
        "notices",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("transition_id", _ID, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["transition_id"], ["transitions.id"], name=op.f("fk_notices_transition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notices_transition_id"), "notices", ["transition_id"])


def _letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("home", sa.String(length=127), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_dead_letters_home_id", "dead_letters", ["home", "id"])
    op.create_index("ix_dead_letters_site_id", "dead_letters", ["site", "id"])
    op.create_table(
        "dead_letter_counts",
        sa.Column("home", sa.String(length=127), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("home", name=op.f("pk_dead_letter_counts")),
    )
    op.create_table(
        "discoveries",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("site", "point", name=op.f("pk_discoveries")),
    )


def _presence() -> None:
    op.create_table(
        "agents",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("agent", sa.String(length=127), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.Text(), server_default="", nullable=False),
        sa.Column("birth", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("site", "agent", name=op.f("pk_agents")),
    )
    op.create_table(
        "latest",
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("point", sa.String(length=127), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("quality", sa.String(length=16), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("site", "point", name=op.f("pk_latest")),
    )
    op.create_table(
        "processes",
        sa.Column("name", sa.String(length=127), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("info", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_processes")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("site", sa.String(length=127), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_site_id", "audit", ["site", "id"])
