"""Hooks: commands run when a call was answered or an object changed its state, and their log tells what came of it."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xmlrpc.client import ServerProxy

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.settings import Settings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TELL = '#!/bin/sh\necho "$@" >> "$(dirname "$0")/told"\ncat >> "$(dirname "$0")/read"\n'


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of scripts; `tell` writes down its arguments and what it reads."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    write(folder / "tell", TELL)
    return folder


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def hooked(make_cloud: Callable[..., Cloud], scripts: Path) -> Cloud:
    """A cloud that may run the scripts."""
    return make_cloud(hooks=scripts)


def client(cloud: Cloud) -> Any:
    return pyone.OneServer(cloud.endpoint, session=cloud.session)


def log_of(one: Any, hook: int) -> list[Any]:
    """Records of a hook's executions, as pyone's classes hold them."""
    return list(one.hook.info(hook).HOOKLOG.HOOK_EXECUTION_RECORD)


def first_record(one: Any, hook: int) -> Any:
    until(lambda: log_of(one, hook))
    return log_of(one, hook)[0]


def decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def test_call_with_its_parameters(hooked: Cloud, scripts: Path) -> None:
    """A hook of a call is given the call, its parameters, its answer and the object, and no password."""
    one = client(hooked)
    hook = one.hook.allocate(
        'NAME="h"\nTYPE="api"\nCALL="one.user.allocate"\nCOMMAND="tell"\nARGUMENTS="first $API $TEMPLATE last"'
    )
    user = one.user.allocate("ida", "a long password", "core", [1])
    record = first_record(one, hook)
    assert record.EXECUTION_RESULT.CODE == "0"
    words = (scripts / "told").read_text().split()
    assert (words[0], words[-1], len(words)) == ("first", "last", 3)
    told = ET.fromstring(decoded(words[1]))
    assert told.findtext("RESULT") == "1"
    values = [one.findtext("VALUE") for one in told.iter("PARAMETER")]
    assert values == ["****", "ida", "****", "core", "[1]", "true", str(user), "0"]
    assert told.findtext("EXTRA/USER/NAME") == "ida"
    assert "a long password" not in decoded(words[1])


def test_refused_calls_and_deleted_objects(hooked: Cloud) -> None:
    """A refused call is told too; of a deleted object the document as it was."""
    one = client(hooked)
    hook = one.hook.allocate(
        'NAME="h"\nTYPE="api"\nCALL="one.template.delete"\nCOMMAND="tell"\nARGUMENTS="$API"\nARGUMENTS_STDIN="yes"'
    )
    number = one.template.allocate('NAME="t"')
    with pytest.raises(pyone.OneNoExistsException):
        one.template.delete(99)
    one.template.delete(number)
    until(lambda: len(log_of(one, hook)) == 2)
    told = [ET.fromstring(decoded(record.ARGUMENTS)) for record in log_of(one, hook)]
    assert sorted(call.findtext("RESULT", "") for call in told) == ["0", "1"]
    assert [call.findtext("EXTRA/VMTEMPLATE/NAME") for call in told if call.findtext("RESULT") == "1"] == ["t"]
    assert {record.EXECUTION_RESULT.COMMAND for record in log_of(one, hook)} == {"/var/lib/one/remotes/hooks/tell"}


def test_states_of_a_machine(hooked: Cloud, scripts: Path) -> None:
    """A hook of a state is run each time that it is reached, and not for others."""
    one = client(hooked)
    until(lambda: one.hostpool.info().HOST[0].STATE == 2)
    running = one.hook.allocate(
        'NAME="r"\nTYPE="state"\nRESOURCE="VM"\nON="RUNNING"\nCOMMAND="tell"\nARGUMENTS="$TEMPLATE"'
        '\nARGUMENTS_STDIN="YES"'
    )
    done = one.hook.allocate('NAME="d"\nTYPE="state"\nRESOURCE="VM"\nON="DONE"\nCOMMAND="tell"\nARGUMENTS="gone"')
    vm = one.vm.allocate('NAME="m"\nCPU="1"\nMEMORY="64"')
    until(lambda: one.vm.info(vm).LCM_STATE == 3)
    machine = ET.fromstring(decoded(first_record(one, running).ARGUMENTS))
    assert (machine.tag, machine.findtext("LCM_STATE"), machine.findtext("PREV_LCM_STATE")) == ("VM", "3", "2")
    assert (scripts / "read").read_text() == log_of(one, running)[0].ARGUMENTS
    assert log_of(one, done) == []
    one.vm.action("poweroff", vm)
    until(lambda: one.vm.info(vm).STATE == 8)
    one.vm.action("resume", vm)
    until(lambda: len(log_of(one, running)) == 2)
    one.vm.action("terminate-hard", vm)
    assert first_record(one, done).ARGUMENTS == "gone"


def test_states_of_other_objects(hooked: Cloud) -> None:
    """Images, networks and hosts have hooks too."""
    one = client(hooked)
    until(lambda: one.datastore.info(1).FREE_MB > 0 and one.hostpool.info().HOST[0].STATE == 2)
    made = {
        resource: one.hook.allocate(
            f'NAME="{resource}"\nTYPE="state"\nRESOURCE="{resource}"\nSTATE="{state}"\nCOMMAND="tell"'
            '\nARGUMENTS="$TEMPLATE"'
        )
        for resource, state in (("IMAGE", "READY"), ("NET", "READY"), ("HOST", "DISABLED"))
    }
    one.image.allocate('NAME="i"\nTYPE="DATABLOCK"\nSIZE="10"', 1)
    one.vn.allocate('NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"', 0)
    one.host.status(0, 1)
    names = {
        resource: ET.fromstring(decoded(first_record(one, hook).ARGUMENTS)).findtext("NAME")
        for resource, hook in made.items()
    }
    assert names == {"IMAGE": "i", "NET": "n", "HOST": "embedded"}
    assert all(len(log_of(one, hook)) == 1 for hook in made.values())


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("none", "255", "Internal error No such file or directory - /var/lib/one/remotes/hooks/none"),
        ("/bin/sh", "255", "Internal error No such file or directory - /bin/sh"),
        ("../../../../bin/sh -c x", "255", "No such file or directory"),
        ("plain", "255", "Permission denied"),
        ("three", "3", "said in error"),
        ("slow", "255", "Timeout executing /var/lib/one/remotes/hooks/slow"),
        ("broken 'quote", "255", "No closing quotation"),
        ("killed", "255", ""),
    ],
)
def test_commands_that_fail(hooked: Cloud, scripts: Path, command: str, code: str, words: str) -> None:
    """What is not in the folder is missing, whatever the path; else the log tells exit code and output."""
    (scripts / "plain").write_text("#!/bin/sh\n")
    write(scripts / "three", "#!/bin/sh\necho out\necho said in error >&2\nexit 3\n")
    write(scripts / "slow", "#!/bin/sh\nsleep 60 & wait\n")
    write(scripts / "killed", "#!/bin/sh\nkill -9 $$\n")
    one = client(hooked)
    hook = one.hook.allocate(f'NAME="h"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="{command}"\nTIMEOUT="1"')
    one.zone.enable(0, True)
    result = first_record(one, hook).EXECUTION_RESULT
    assert code == result.CODE
    assert words in decoded(result.STDERR)
    assert decoded(result.STDOUT) == ("out\n" if command == "three" else "")


def test_without_a_folder_nothing_runs(one: Any, tmp_path: Path) -> None:
    """No path of a template runs a program of this machine."""
    hook = one.hook.allocate(
        f'NAME="h"\nTYPE="api"\nCALL="one.template.allocate"\nCOMMAND="/usr/bin/touch"\nARGUMENTS="{tmp_path}/touched"'
    )
    one.template.allocate('NAME="t"')
    assert first_record(one, hook).EXECUTION_RESULT.CODE == "255"
    assert not (tmp_path / "touched").exists()


def test_log_and_retry(hooked: Cloud, scripts: Path) -> None:
    """The log is filtered as asked, keeps twenty executions a hook, and an execution can be made again."""
    one = client(hooked)
    write(scripts / "odd", f'#!/bin/sh\ntest -e "{scripts}/mended"\n')
    hooks = [
        one.hook.allocate(f'NAME="{name}"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="{name}"\nARGUMENTS="a b"')
        for name in ("tell", "odd")
    ]
    for _ in range(21):
        one.zone.enable(0, True)
    until(lambda: {log_of(one, hook)[-1].EXECUTION_ID for hook in hooks if log_of(one, hook)} == {20})
    assert [record.EXECUTION_ID for record in log_of(one, hooks[0])] == list(range(1, 21))

    def logged(*asked: int) -> list[tuple[int, str]]:
        calls: Any = ServerProxy(hooked.endpoint)  # pyone's classes know no HOOKLOG by itself
        records = ET.fromstring(calls.one.hooklog.info(hooked.session, *asked)[1])
        return [(int(one.findtext("HOOK_ID", "")), one.findtext("EXECUTION_RESULT/CODE", "")) for one in records]

    assert logged(-1, -1, -1, 0) == [(hooks[1], "1")] * 20 + [(hooks[0], "0")] * 20
    assert logged(-1, -1, hooks[0], 0) == [(hooks[0], "0")] * 20
    assert logged(-1, -1, -1, -1) == [(hooks[1], "1")] * 20
    assert logged(-1, -1, -1, 1) == [(hooks[0], "0")] * 20
    assert logged(2**31 - 1, -1, -1, 0) == logged(-1, 1, -1, 0) == []
    (scripts / "mended").touch()
    one.hook.retry(hooks[1], 5)
    until(lambda: log_of(one, hooks[1])[-1].RETRY == "yes")
    again = log_of(one, hooks[1])[-1]
    assert (again.EXECUTION_RESULT.CODE, again.ARGUMENTS, again.EXECUTION_ID) == ("0", "a b", 21)
    with pytest.raises(pyone.OneInternalException, match="Arguments not found"):
        one.hook.retry(hooks[1], 99)


def test_only_administrators_see_the_log(cloud: Cloud, one: Any) -> None:
    """Arguments hold documents of everybody's."""
    one.user.allocate("ida", "a long password", "core", [1])
    ida = pyone.OneServer(cloud.endpoint, session="ida:a long password")
    hook = one.hook.allocate('NAME="h"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="x"')
    for attempt in (
        lambda: ida.hooklog.info(-1, -1, -1, 0),
        lambda: ida.hook.info(hook),
        lambda: ida.hook.retry(hook, 0),
        lambda: ida.hook.allocate('NAME="i"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="x"'),
    ):
        with pytest.raises(pyone.OneAuthorizationException):
            attempt()


def test_script_makes_calls(hooked: Cloud, scripts: Path) -> None:
    """A script finds in its environment how to reach the cloud, and may call it while others wait."""
    program = (
        "import os, sys, pyone\n"
        "one = pyone.OneServer(os.environ['ONE_XMLRPC'], session=open(os.environ['ONE_AUTH']).read().strip())\n"
        "one.template.rename(int(sys.argv[1]), 'renamed')\n"
    )
    write(scripts / "rename", f"#!{sys.executable}\n{program}")
    one = client(hooked)
    number = one.template.allocate('NAME="t"')
    hook = one.hook.allocate(f'NAME="h"\nTYPE="api"\nCALL="one.template.chmod"\nCOMMAND="rename"\nARGUMENTS="{number}"')
    one.template.chmod(number, -1, -1, -1, 1, 0, 0, 0, 0, 0)
    assert first_record(one, hook).EXECUTION_RESULT.CODE == "0", decoded(log_of(one, hook)[0].EXECUTION_RESULT.STDERR)
    assert one.template.info(number).NAME == "renamed"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('TYPE="state"\nCOMMAND="x"', "RESOURCE attribute is required for STATE hooks."),
        ('TYPE="state"\nCOMMAND="x"\nRESOURCE="USER"\nSTATE="READY"', "Invalid resource type: USER"),
        ('TYPE="state"\nCOMMAND="x"\nRESOURCE="HOST"\nSTATE="DEAD"', "Invalid STATE: DEAD"),
        ('TYPE="state"\nCOMMAND="x"\nRESOURCE="IMAGE"', "Hook STATE attribute not found or invalid"),
        ('TYPE="state"\nCOMMAND="x"\nRESOURCE="VM"\nON="CUSTOM"\nSTATE="ACTIVE"\nLCM_STATE="ODD"', "Wrong LCM_STATE"),
        ('TYPE="api"\nCOMMAND="x"\nCALL="one.vm.info"', "API call does not exist or is not supported: one.vm.info"),
    ],
)
def test_hooks_that_are_refused(one: Any, template: str, words: str) -> None:
    """A hook that would never run is refused in OpenNebula's words."""
    with pytest.raises(pyone.OneInternalException, match=words):
        one.hook.allocate(f'NAME="h"\n{template}')


def test_an_update_may_not_silence_a_hook(one: Any) -> None:
    """What makes no hook is not made by an update either."""
    hook = one.hook.allocate('NAME="h"\nTYPE="state"\nRESOURCE="HOST"\nSTATE="error"\nCOMMAND="x"')
    assert one.hook.info(hook).TEMPLATE["STATE"] == "ERROR"
    for change in ('STATE="DEAD"', 'COMMAND=""'):
        with pytest.raises(pyone.OneInternalException, match="Cannot update template"):
            one.hook.update(hook, change, 1)
    assert one.hook.info(hook).TEMPLATE["STATE"] == "ERROR"


def test_scripts_end_with_the_cloud(tmp_path: Path, scripts: Path) -> None:
    """A script that is under way does not outlive the cloud, nor hold it up."""
    write(scripts / "long", f'#!/bin/sh\necho $$ > "{scripts}/pid"\nsleep 600 & wait\n')
    with Cloud(Settings(state=tmp_path / "cloud", driver="none", port=0, hooks=scripts)) as cloud:
        one = client(cloud)
        one.hook.allocate('NAME="h"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="long"')
        one.zone.enable(0, True)
        until(lambda: (scripts / "pid").exists() and (scripts / "pid").read_text().strip())
        pid = int((scripts / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_command_line_names_the_folder(tmp_path: Path) -> None:
    """A folder that is not there is wrong usage."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "emulator", "--state", str(tmp_path), "--hooks", str(tmp_path / "none")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "--hooks" in ended.stderr
