"""`gurney emulator`: the embedded cloud, until it is stopped."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import click

DEFAULT_STATE = Path(".gurney-cloud")


@click.command()
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STATE,
    show_default=True,
    help="Folder that holds everything.",
)
@click.option(
    "--address", help="Address to listen on; without it and --port, a network 127.N.0.0/16 of its own is claimed."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the API (on 127.0.0.1); 0 takes a free one.")
@click.option("--onegate-port", type=click.IntRange(0, 65535), help="Port of OneGate; by default the next one.")
@click.option("--no-onegate", is_flag=True, help="Behave as a front end without OneGate.")
@click.option(
    "--driver",
    type=click.Choice(["process", "qemu", "none"]),
    default="process",
    show_default=True,
    help="What virtual machines are.",
)
@click.option("--host", "hosts", multiple=True, default=("embedded",), show_default=True, help="Hosts of a new cloud.")
@click.option("--delay-ms", type=click.IntRange(0), default=0, help="Answer each call that much later.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="METHOD:WHAT[@WHICH]",
    callback=lambda _context, _option, texts: _checked(texts),
    help="Let calls fail, such as image.allocate:2048@3.",
)
@click.option(
    "--hooks",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the scripts that hooks may run; without it every hook's command is missing.",
)
@click.option(
    "--market",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder whose image files the marketplace OpenNebula Public offers.",
)
@click.option("--cut-power", "cut", multiple=True, metavar="HOST", help="Let a host of the running cloud die; return.")
@click.option("--restore-power", "restored", multiple=True, metavar="HOST", help="Let it come back; return.")
@click.option("--lose-front-end", "lost", flag_value=True, default=None, help="Let the front end die; return.")
@click.option("--restore-front-end", "lost", flag_value=False, help="Let it come back; return.")
@click.option(
    "--until-closed", is_flag=True, help="Stop when standard input ends, so with the program that started it."
)
def emulator(
    state: Path,
    address: str | None,
    port: int | None,
    onegate_port: int | None,
    no_onegate: bool,
    driver: str,
    hosts: tuple[str, ...],
    delay_ms: int,
    faults: tuple[str, ...],
    hooks: Path | None,
    market: Path | None,
    cut: tuple[str, ...],
    restored: tuple[str, ...],
    lost: bool | None,
    until_closed: bool,
) -> None:
    """Run the embedded cloud: OpenNebula's XML-RPC API and OneGate on loopback, with virtual machines that run.

    It prints what a client needs, and stops at Ctrl-C or SIGTERM together with all its guests. The same
    --state continues where it stopped.

    With --cut-power, --restore-power, --lose-front-end or --restore-front-end it runs no cloud: it changes the one of
    the same --state, and returns.
    """
    if cut or restored or lost is not None:
        _switch_power(state.resolve(), cut, restored, lost)
        return
    from emulator.cloud import Cloud
    from emulator.settings import Settings

    settings = Settings(
        state=state.resolve(),
        driver=driver,
        address=address,
        port=port,
        onegate_port=onegate_port,
        onegate=not no_onegate,
        hosts=hosts,
        delay_ms=delay_ms,
        faults=faults,
        hooks=hooks,
        market=market,
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if until_closed:
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    with Cloud(settings) as cloud:
        click.echo(f"export ONE_XMLRPC={cloud.endpoint} ONE_AUTH={settings.state / 'one_auth'}")
        click.echo(f"embedded cloud: virtual machines in {cloud.place.network}, OneGate at {cloud.onegate}", err=True)
        stop.wait()
        if driver == "qemu":
            click.echo("embedded cloud: the virtual machines shut down, within 30 s", err=True)


def _checked(texts: tuple[str, ...]) -> tuple[str, ...]:
    from emulator.errors import EmulatorError
    from emulator.faults import parse_fault

    for text in texts:
        try:
            parse_fault(text)
        except EmulatorError as error:
            raise click.BadParameter(str(error)) from error
    return texts


def _switch_power(state: Path, cut: tuple[str, ...], restored: tuple[str, ...], lost: bool | None) -> None:
    from emulator.power import Power

    power = Power(state)
    if lost is not None:
        (power.lose_front_end if lost else power.restore_front_end)()
        click.echo("the front end is without power" if lost else "the front end has power")
    for host in cut:
        power.cut(host)
        click.echo(f"{host} is without power")
    for host in restored:
        power.restore(host)
        click.echo(f"{host} has power")


def _wait_for_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()
