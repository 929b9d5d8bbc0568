"""What people decide about food after an excursion."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table, and the index by which the decisions of an excursion are found."""
    op.create_table(
        "food_decisions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("site", sa.String(127), nullable=False),
        sa.Column("excursion", _ID, nullable=False),
        sa.Column("option", sa.String(16), nullable=False),
        sa.Column("fate", sa.String(16), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("seen", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["excursion"], ["excursions.id"], name=op.f("fk_food_decisions_excursion")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_food_decisions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_food_decisions_excursion", "food_decisions", ["excursion"])
