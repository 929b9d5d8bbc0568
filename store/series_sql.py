"""Every SQL text of the SQLite series store, and its format's version. Nothing else speaks SQL to that file.

`readings` is clustered by (point, time), so a point's history is read in one sweep, and its newest row is the end of
a range. `moved` holds one row per reading that had to leave its millisecond (rare), `counts` the rows per site,
`summaries` what is left of purged readings per 15 minutes.
"""

VERSION = 2  # 2: summaries

WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # the journal's series cursor moves after an append: it must be on the disk
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32000",
    "PRAGMA journal_size_limit = 67108864",
)
READER_PRAGMAS = ("PRAGMA query_only = ON", "PRAGMA cache_size = -16000")

TABLES = (
    """CREATE TABLE IF NOT EXISTS points (
        id INTEGER PRIMARY KEY, site TEXT NOT NULL, asset TEXT NOT NULL, metric TEXT NOT NULL,
        UNIQUE (site, asset, metric))""",
    """CREATE TABLE IF NOT EXISTS readings (
        point INTEGER NOT NULL, time INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL, text TEXT,
        received INTEGER NOT NULL, PRIMARY KEY (point, time)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS moved (
        point INTEGER NOT NULL, time INTEGER NOT NULL, asked INTEGER NOT NULL, quality INTEGER NOT NULL,
        PRIMARY KEY (point, time)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS moved_asked ON moved (point, asked, time)",
    """CREATE TABLE IF NOT EXISTS gaps (
        site TEXT NOT NULL, agent TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
        count INTEGER NOT NULL, reason TEXT NOT NULL, points TEXT NOT NULL,
        PRIMARY KEY (site, start, "end", agent, reason, count, points)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS summaries (
        point INTEGER NOT NULL, start INTEGER NOT NULL, low REAL, mean REAL, high REAL, last REAL, last_time INTEGER,
        count INTEGER NOT NULL, bad INTEGER NOT NULL, PRIMARY KEY (point, start)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS counts (site TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
)
TEMPORARY = """CREATE TEMP TABLE IF NOT EXISTS incoming (
    row INTEGER PRIMARY KEY, point INTEGER, time INTEGER, value REAL, quality INTEGER)"""

POINT = "SELECT id FROM points WHERE site = ? AND asset = ? AND metric = ?"
POINTS_OF_SITE = "SELECT id FROM points WHERE site = ?"
INSERT_POINT = "INSERT INTO points (site, asset, metric) VALUES (?, ?, ?)"

INSERT = "INSERT OR IGNORE INTO readings (point, time, value, quality, text, received) VALUES (?, ?, ?, ?, ?, ?)"
INSERT_INCOMING = "INSERT INTO incoming (row, point, time, value, quality) VALUES (?, ?, ?, ?, ?)"
CLEAR_INCOMING = "DELETE FROM incoming"
# A row that was moved to its millisecond is never "the same reading" as one that belongs there.
CONFLICTS = """
    SELECT i.row FROM incoming i JOIN readings r ON r.point = i.point AND r.time = i.time
    WHERE r.value IS NOT i.value OR r.quality <> i.quality
       OR EXISTS (SELECT 1 FROM moved m WHERE m.point = i.point AND m.time = i.time)
    ORDER BY i.row"""
FIND_MOVED = """
    SELECT 1 FROM moved m JOIN readings r ON r.point = m.point AND r.time = m.time
    WHERE m.point = ? AND m.asked = ? AND m.quality = ? AND r.value IS ? LIMIT 1"""
LAST_MOVED = "SELECT MAX(time) FROM moved WHERE point = ? AND asked = ?"
NEXT_FREE = """
    SELECT r.time + 1 FROM readings r WHERE r.point = ? AND r.time >= ?
       AND NOT EXISTS (SELECT 1 FROM readings n WHERE n.point = r.point AND n.time = r.time + 1)
    ORDER BY r.time LIMIT 1"""
INSERT_MOVED = "INSERT INTO moved (point, time, asked, quality) VALUES (?, ?, ?, ?)"
ADD_COUNT = "INSERT INTO counts (site, rows) VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET rows = rows + excluded.rows"
COUNT = "SELECT rows FROM counts WHERE site = ?"

READ = """SELECT time, value, quality, text, received FROM readings
    WHERE point = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?"""
WINDOW = """
    WITH windows AS (
        SELECT (time - :start) / :step AS number,
               MIN(CASE WHEN quality < 2 THEN value END) AS low,
               AVG(CASE WHEN quality < 2 THEN value END) AS mean,
               MAX(CASE WHEN quality < 2 THEN value END) AS high,
               MAX(CASE WHEN quality < 2 AND value IS NOT NULL THEN time END) AS newest,
               SUM(quality < 2 AND value IS NOT NULL) AS believed,
               COUNT(*) AS everything
        FROM readings WHERE point = :point AND time >= :start AND time < :end GROUP BY number)
    SELECT w.number, w.low, w.mean, w.high, r.value, w.believed, w.everything - w.believed
    FROM windows w LEFT JOIN readings r ON r.point = :point AND r.time = w.newest ORDER BY w.number"""
LATEST = """
    SELECT p.asset || '/' || p.metric, r.time, r.value, r.quality, r.received, r.text
    FROM points p JOIN readings r ON r.point = p.id AND r.time = (SELECT MAX(time) FROM readings WHERE point = p.id)
    WHERE p.site = ? ORDER BY p.asset, p.metric"""

INSERT_GAP = """INSERT OR IGNORE INTO gaps (site, agent, start, "end", count, reason, points)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
GAPS = """SELECT agent, start, "end", count, reason, points FROM gaps
    WHERE site = ? AND start < ? AND "end" >= ? ORDER BY start, "end", agent, reason"""

# The last of the oldest rows that go in one transaction.
PURGE_EDGE = """SELECT MAX(time) FROM (SELECT time FROM readings
    WHERE point = ? AND time < ? ORDER BY time LIMIT ?)"""
PURGE = "DELETE FROM readings WHERE point = ? AND time <= ?"
PURGE_MOVED = "DELETE FROM moved WHERE point = ? AND time <= ?"
# Adds what is about to be purged to the summaries; in one transaction with PURGE, so nothing is counted twice.
SUM_UP = """
    WITH windows AS (
        SELECT time / :step * :step AS start,
               MIN(CASE WHEN quality < 2 THEN value END) AS low,
               AVG(CASE WHEN quality < 2 THEN value END) AS mean,
               MAX(CASE WHEN quality < 2 THEN value END) AS high,
               MAX(CASE WHEN quality < 2 AND value IS NOT NULL THEN time END) AS newest,
               SUM(quality < 2 AND value IS NOT NULL) AS believed,
               COUNT(*) AS everything
        FROM readings WHERE point = :point AND time <= :edge GROUP BY start)
    INSERT INTO summaries (point, start, low, mean, high, last, last_time, count, bad)
    SELECT :point, w.start, w.low, w.mean, w.high, r.value, w.newest, w.believed, w.everything - w.believed
    FROM windows w LEFT JOIN readings r ON r.point = :point AND r.time = w.newest WHERE true
    ON CONFLICT (point, start) DO UPDATE SET
        low = MIN(COALESCE(low, excluded.low), COALESCE(excluded.low, low)),
        mean = (COALESCE(mean, 0) * count + COALESCE(excluded.mean, 0) * excluded.count)
               / NULLIF(count + excluded.count, 0),
        high = MAX(COALESCE(high, excluded.high), COALESCE(excluded.high, high)),
        last = CASE WHEN COALESCE(excluded.last_time >= last_time, last_time IS NULL) THEN excluded.last ELSE last END,
        last_time = MAX(COALESCE(last_time, excluded.last_time), COALESCE(excluded.last_time, last_time)),
        count = count + excluded.count,
        bad = bad + excluded.bad"""
SUMMARIES = """SELECT start, low, mean, high, last, count, bad FROM summaries
    WHERE point = :point AND start >= :start AND start < :end ORDER BY start"""
PURGE_GAPS = 'DELETE FROM gaps WHERE site = ? AND "end" < ?'
