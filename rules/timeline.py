"""The ends of time, for deadlines and frontiers."""

NEVER = 1 << 62  # later than any time; minus it, earlier than any
