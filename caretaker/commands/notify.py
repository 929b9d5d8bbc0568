"""`caretaker notify`: tells people of alarms."""

from caretaker.commands.up import Config


def notify(config: Config = None) -> None:
    """Decide for each transition who is told, tell them, and keep the delivery log."""
    from caretaker.process import end_with_parent, now_ms, set_up_logging, stop_on_signals
    from caretaker.settings import load_settings, supervised
    from caretaker.wiring import incident_plans, open_operational, rule_titles
    from notify.channels import open_channels
    from notify.worker import run

    settings = load_settings(config)
    set_up_logging(settings.log.level, settings.log.format, "notify")
    if supervised():
        end_with_parent()
    channels = open_channels(settings.notify.channels)
    stop = stop_on_signals()
    outbox = open_operational(settings)
    try:
        run(
            outbox,
            channels,
            now_ms,
            stop,
            language=settings.notify.language,
            rule_title=rule_titles(outbox),
            plans=incident_plans(outbox),
        )
    finally:
        outbox.close()
