"""Why a revision was saved, and what was sent that is about no single transition."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column of both kinds of revision, and the table of what is sent once."""
    for table in ("site_revisions", "rules_revisions"):
        op.add_column(table, sa.Column("why", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "sent_once",
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(127), nullable=False),
        sa.Column("site", sa.String(127), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "channel", name=op.f("pk_sent_once")),
    )
    op.create_index("ix_sent_once_site_at", "sent_once", ["site", "at"])
