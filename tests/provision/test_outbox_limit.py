"""How much an outbox may hold: what OpenNebula cannot do is said, with the command of who can."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provision.conftest import Office


def limits(office: Office, text: str) -> list[str]:
    return [words for words in office.plan(text).conditions if "cannot limit the outbox" in words]


def test_a_new_branch_s_limit_is_for_the_file_server(office: Office, example_text: str) -> None:
    text = example_text.replace("driver: virtiofs", "driver: virtiofs\n  outbox: 20GiB")
    told = limits(office, text)
    assert len(told) == 3
    assert "the outbox of erode to 20GiB" in told[0]
    assert "'project -s -p /srv/exchange/out/erode N' -c 'limit -p bhard=20480m N' MOUNTPOINT" in told[0]
    assert not office.apply(text).after
    assert limits(office, text) == [], "said when the outbox is made, and not for ever"
    assert not office.plan(example_text), "it is nothing that the cloud knows"
