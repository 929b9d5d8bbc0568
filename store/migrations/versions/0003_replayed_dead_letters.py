"""Dead letters can be replayed: when that was asked for, and when it was done."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, and an index by which what was asked for is found each second."""
    for name in ("replay_asked", "replayed"):
        op.add_column("dead_letters", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index("ix_dead_letters_replay_asked", "dead_letters", ["replay_asked"])
