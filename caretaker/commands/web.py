"""`caretaker web`: the API and the pages alone."""

from caretaker.commands.up import Config


def web(config: Config = None) -> None:
    """Serve the board, the pages and the JSON API."""
    from api.app import create_app
    from api.server import serve
    from api.settings import ApiSettings
    from caretaker.process import end_with_parent, now_ms, set_up_logging
    from caretaker.settings import load_settings, supervised
    from caretaker.wiring import open_console, open_series, shelf_limits

    settings = load_settings(config)
    set_up_logging(settings.log.level, settings.log.format, "web")
    if supervised():
        end_with_parent()
    limits = ApiSettings(hosts=settings.web.hosts, cache_dir=settings.data_dir / "cache", shelf=shelf_limits(settings))
    console, series = open_console(settings), open_series(settings)
    try:
        app = create_app(console, series, clock=now_ms, settings=limits)
        serve(app, settings.web.host, settings.web.port)
    finally:
        series.close()
        console.close()
