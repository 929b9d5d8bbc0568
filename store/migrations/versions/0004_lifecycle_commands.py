"""What people's commands leave: confirmed, silenced, assigned, nuisance, corrective actions, assets out of service."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT, _TIME, _WORD = sa.Text(), sa.BigInteger(), sa.String(16)


def upgrade() -> None:
    """Add the columns, the table, and the index by which overlays that have ended are found each second."""
    for name in ("confirmed", "silenced"):
        _text("alarms", f"{name}_by")
        op.add_column("alarms", sa.Column(f"{name}_at", _TIME, nullable=True))
    _text("alarms", "assigned_to")
    op.add_column("alarms", sa.Column("lifts_at", _TIME, nullable=True))
    op.create_index("ix_alarms_lifts_at", "alarms", ["lifts_at"])
    op.add_column("transitions", sa.Column("until", _TIME, nullable=True))
    for name in ("nuisance", "remedy", "food"):
        op.add_column("transitions", sa.Column(name, _WORD, nullable=True))
    _text("transitions", "assignee")
    op.create_table(
        "out_of_service",
        sa.Column("site", sa.String(127), nullable=False),
        sa.Column("asset", sa.String(127), nullable=False),
        sa.Column("by", _TEXT, nullable=False),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("site", "asset", name=op.f("pk_out_of_service")),
    )


def _text(table: str, name: str) -> None:
    op.add_column(table, sa.Column(name, _TEXT, server_default="", nullable=False))
