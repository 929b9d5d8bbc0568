"""`caretaker notify`: tells people of alarms."""

from caretaker.commands.up import Config


def notify(config: Config = None) -> None:
    """Decide for each transition who is told, tell them, tell others when nobody answers, and send the weekly list."""
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import closing

    from caretaker.notices import escalations, recipients, weekly_look
    from caretaker.process import end_with_parent, now_ms, set_up_logging, stop_on_signals
    from caretaker.settings import load_settings, supervised
    from caretaker.wiring import incident_plans, open_operational, open_series, rule_titles
    from domain.weekly import parse_weekly
    from notify.weekly import WeeklySettings
    from notify.worker import run

    settings = load_settings(config)
    set_up_logging(settings.log.level, settings.log.format, "notify")
    if supervised():
        end_with_parent()
    told, wish = recipients(settings), settings.notify
    stop = stop_on_signals()
    with (
        closing(open_operational(settings)) as outbox,
        closing(open_series(settings)) as series,
        ThreadPoolExecutor(1, "weekly-list") as threads,
    ):
        weekly = None
        if wish.weekly:
            weekly = WeeklySettings(parse_weekly(wish.weekly), wish.weekly_to, weekly_look(outbox, series), threads)
        run(
            outbox,
            told,
            now_ms,
            stop,
            language=wish.language,
            rule_title=rule_titles(outbox),
            plans=incident_plans(outbox),
            escalations=escalations(outbox),
            weekly=weekly,
        )
