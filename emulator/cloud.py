"""One embedded cloud: its state, its clock, its driver, and the sockets it answers on."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from emulator.address import claim
from emulator.bootstrap import ADMINISTRATOR, fill
from emulator.call import Call
from emulator.clock import Clock, WoundClock
from emulator.configuration import Configuration
from emulator.dispatch import Dispatcher
from emulator.drivers import make_driver
from emulator.errors import EmulatorError, Fault
from emulator.faults import Faults
from emulator.hook_script import ScriptFolder
from emulator.methods import METHODS
from emulator.objects import EVENTS
from emulator.objects.hook_event import state_changed
from emulator.objects.host import monitor_all
from emulator.objects.market_offer import offer
from emulator.objects.vm_guest import resume_guests
from emulator.onegate import OneGate
from emulator.power import Power
from emulator.state_folder import held, remember_network, remembered_network
from emulator.store import Store
from emulator.web import WebServer

if TYPE_CHECKING:
    from emulator.record import Body
    from emulator.registry import Method
    from emulator.settings import Pace, Settings

log = logging.getLogger(__name__)

Event = Callable[["Cloud", int, "Body"], None]


class Cloud:
    """An embedded cloud; answers from `start` to `stop`, or used as a context manager.

    Parameters
    ----------
    settings
        What it is started with.
    clock
        Its time; a `WoundClock` goes on only by `advance`.

    Raises
    ------
    EmulatorError
        When the state cannot be read, or an address is busy.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings: Settings = settings
        self.clock = clock or Clock()
        self.faults = Faults(settings.faults)
        self.methods = METHODS
        self._news = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        with contextlib.ExitStack() as stack:  # what is open is closed again when a later step fails
            settings.state.mkdir(parents=True, exist_ok=True)
            settings.state.chmod(0o700)  # tokens, and whatever the guests keep of their patients
            stack.enter_context(held(settings.state))
            (settings.state / "endpoint.json").unlink(missing_ok=True)  # of a cloud that was killed
            self.store = Store(settings.state / "state.sqlite")
            stack.callback(self.store.close)
            self.store.on_state = partial(state_changed, self)
            self.power = Power(settings.state)
            self.scripts = ScriptFolder(settings.hooks, self._environment)
            stack.callback(self.scripts.stop)
            self.place = claim(
                settings.address, settings.port, settings.onegate_port, remembered_network(settings.state)
            )
            stack.callback(self.place.release)
            remember_network(settings.state, self.place.network)
            self.driver = make_driver(self)
            stack.callback(self.driver.stop_all)
            stack.callback(self._stop_events)
            self._onegate = WebServer(self.place.address, self.place.onegate_port, OneGate(self))
            stack.callback(self._onegate.stop)
            self._rpc = WebServer(self.place.address, self.place.port, Dispatcher(self))
            stack.callback(self._rpc.stop)
            self.configuration = Configuration(self.onegate if settings.onegate else "")
            self._fill()
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pace(self) -> Pace:
        """How long what happens in the background takes."""
        return self.settings.pace

    @property
    def port(self) -> int:
        """Where the API is answered."""
        return self._rpc.port

    @property
    def endpoint(self) -> str:
        """Address of the API, as $ONE_XMLRPC has it."""
        return f"http://{self._rpc.address}:{self._rpc.port}/RPC2"

    @property
    def onegate(self) -> str:
        """Address of OneGate."""
        return f"http://{self._onegate.address}:{self._onegate.port}"

    @property
    def session(self) -> str:
        """The administrator's `name:password`."""
        return (self.settings.state / "one_auth").read_text(encoding="utf-8").strip()

    def method(self, name: str) -> Method:
        """A method of the API.

        Raises
        ------
        Fault
            -506 for an unknown one.
        """
        if name not in self.methods:
            raise Fault(-506, f"Method '{name}' not defined")
        return self.methods[name]

    def as_administrator(self, purpose: str) -> Call:
        """A call of the cloud's own, with all rights; must be used in a transaction."""
        return Call(self, ADMINISTRATOR, purpose)

    # life

    def start(self) -> Self:
        """Answer, and say so in `endpoint.json`."""
        with self.store.transaction():
            resume_guests(self)
            monitor_all(self)
            if self.settings.market is not None:
                offer(self, self.settings.market)
        self._rpc.start()
        self._onegate.start()
        if not isinstance(self.clock, WoundClock):
            self._thread.start()
        self._write("endpoint.json", json.dumps(self._endpoint(), indent=1))
        return self

    def stop(self) -> None:
        """Answer no more, and stop all guests; what is running is started again with the same state."""
        (self.settings.state / "endpoint.json").unlink(missing_ok=True)
        self._open.close()

    def _stop_events(self) -> None:
        self._stopping = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def _endpoint(self) -> Body:
        return {
            "endpoint": self.endpoint,
            "onegate": self.onegate,
            "auth_file": str(self.settings.state / "one_auth"),
            "network": self.place.network,
            "pid": os.getpid(),
        }

    def _environment(self) -> dict[str, str]:
        """What a hook's script needs to make calls."""
        return {"ONE_XMLRPC": self.endpoint, "ONE_AUTH": str(self.settings.state / "one_auth")}

    def _fill(self) -> None:
        if self.store.has_any():
            return
        password = self.settings.password or secrets.token_urlsafe(18)
        self._write("one_auth", f"oneadmin:{password}\n")  # before there is a cloud that knows it
        with self.store.transaction():
            fill(self, password)

    def _write(self, name: str, text: str) -> None:
        path = self.settings.state / name
        fresh = path.with_name(f".{name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)

    # time

    def later(self, delay_s: float, name: str, oid: int, **arguments: Any) -> None:
        """Let an event happen; must run in a transaction."""
        if name not in EVENTS:
            raise EmulatorError(f"no event is called {name}")
        self.store.add_event(self.clock.now() + delay_s, name, oid, arguments)
        self._news.set()

    def schedule_soon(self) -> None:
        """Let the scheduler look for virtual machines to place."""
        self.store.remove_events("schedule", 0)
        self.later(self.pace.schedule_s, "schedule", 0)

    def advance(self, horizon_s: float = 3600.0) -> bool:
        """Wind the clock to the next event and let it happen; False when there is none within the horizon."""
        happened = self._advance(horizon_s)
        self.scripts.wait()
        return happened

    def _advance(self, horizon_s: float) -> bool:
        self._look_at_power()
        with self.store.lock:
            event = self.store.next_event()
            if event is None or event[1] > self.clock.now() + horizon_s:
                return False
            if isinstance(self.clock, WoundClock):
                self.clock.wind(event[1])
            self._happen(event)
            return True

    def _run(self) -> None:
        while not self._stopping:
            self._news.clear()  # before the look: what is added after it wakes at once
            if self.power.front_end_is_lost():
                self._news.wait(self.pace.power_s)
                continue
            self._look_at_power()
            wait_s = self._happen_if_due()
            if wait_s is None or wait_s > 0:
                self._news.wait(min(self.pace.power_s, wait_s or self.pace.power_s))

    def _look_at_power(self) -> None:
        if self.power.has_changed():
            with self.store.transaction():
                monitor_all(self)

    def _happen_if_due(self) -> float | None:
        """Let the next event happen if it is due; else seconds to wait, None where there is no event."""
        with self.store.lock:
            event = self.store.next_event()
            if event is None:
                return None
            wait_s = event[1] - self.clock.now()
            if wait_s <= 0:
                self._happen(event)
            return wait_s

    def _happen(self, event: tuple[int, float, str, int, Body]) -> None:
        number, _due, name, oid, arguments = event
        try:
            with self.store.transaction():
                self.store.remove_event(number)
                EVENTS[name](self, oid, arguments)
        except Exception:
            log.exception("event %s of %s failed", name, oid)
            with self.store.transaction():
                self.store.remove_event(number)
