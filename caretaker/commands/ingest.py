"""`caretaker ingest`: takes readings from the broker, journals and judges them, fills the series store."""

from caretaker.commands.up import Config


def ingest(config: Config = None) -> None:
    """Accept readings, judge them, keep them; answer with receipts."""
    from shutil import disk_usage

    from caretaker.process import end_with_parent, now_ms, set_up_logging, stop_on_signals, switch_often
    from caretaker.settings import load_settings, supervised
    from caretaker.wiring import judge_factory, open_operational, open_series
    from domain.times import parse_duration
    from ingest.runner import run
    from ingest.settings import IngestSettings

    settings = load_settings(config)
    set_up_logging(settings.log.level, settings.log.format, "ingest")
    switch_often()
    if supervised():
        end_with_parent()
    stop = stop_on_signals()
    user, password = settings.broker_credential
    limits = IngestSettings(
        settings.broker_url,
        worker=settings.worker,
        process="ingest" if settings.worker == "ingest" else f"ingest-{settings.worker}",
        broker_user=user,
        broker_password=password,
        broker_ca=settings.broker.ca_file,
        lease_ttl=parse_duration(settings.ingest.lease),
        journal_bytes=settings.ingest.journal_max_mb * 1024 * 1024,
        snapshot_every=parse_duration(settings.ingest.snapshot_every),
        broker_alarm_after=parse_duration(settings.ingest.broker_alarm_after),
        keep_readings=parse_duration(settings.stores.keep_readings),
    )

    def disk_free() -> int | None:
        """Bytes free on the disk of the operational store; None when a server keeps it."""
        return disk_usage(settings.data_dir).free if settings.stores.operational == "sqlite" else None

    ledger, series = open_operational(settings), open_series(settings)
    try:
        run(limits, ledger, series, judge_factory(series, ledger), now_ms, stop, disk_free)
    finally:
        series.close()
        ledger.close()
