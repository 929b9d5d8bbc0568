"""For several workers: the newest commit is known by its name; on PostgreSQL too the audit is append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, and PostgreSQL's triggers."""
    for name in ("epoch", "serial", "first_transition", "last_transition"):
        op.add_column("journal_ends", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    if op.get_bind().dialect.name == "postgresql":
        _seal_audit()


def _seal_audit() -> None:
    op.execute(
        "CREATE FUNCTION caretaker_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION caretaker_append_only()"
    )
