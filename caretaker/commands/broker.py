"""`caretaker broker`: the embedded MQTT broker alone."""

from typing import Annotated

import typer

from caretaker.commands.up import Config


def broker(
    config: Config = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on the loopback address; default broker.port.")
    ] = None,
) -> None:
    """Run the embedded broker on the loopback address."""
    import asyncio

    from caretaker.broker import serve
    from caretaker.process import end_with_parent, set_up_logging
    from caretaker.settings import load_settings, supervised

    settings = load_settings(config)
    set_up_logging(settings.log.level, settings.log.format, "broker")
    if supervised():
        end_with_parent()
    asyncio.run(serve(port or settings.broker.port))
