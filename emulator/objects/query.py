"""Queries on the cloud's own database, for administrators.

OpenNebula's tables are there as views with its columns; only `body` differs, which is JSON here.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from emulator.document import element
from emulator.errors import Code, Refused

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.registry import Table

TABLES = {
    "vm": "vm_pool", "host": "host_pool", "vn": "network_pool", "image": "image_pool", "user": "user_pool",
    "template": "template_pool", "group": "group_pool", "acl": "acl", "datastore": "datastore_pool",
    "cluster": "cluster_pool", "document": "document_pool", "zone": "zone_pool", "secgroup": "secgroup_pool",
    "vdc": "vdc_pool", "vrouter": "vrouter_pool", "market": "marketplace_pool", "marketapp": "marketplaceapp_pool",
    "vmgroup": "vmgroup_pool", "vntemplate": "vn_template_pool", "hook": "hook_pool", "backupjob": "backupjob_pool",
}  # fmt: skip
VIEW = """
CREATE TEMP VIEW "{table}" AS SELECT oid, body ->> 'NAME' AS name, body, body ->> 'UID' AS uid, body ->> 'GID' AS gid,
body ->> 'STATE' AS state FROM object WHERE kind = '{kind}'
"""
READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def sqlquery(call: Call, query: str) -> str:
    """Run a SELECT."""
    if not call.caller.is_admin:
        text = f"User [{call.caller.uid}] not authorized to perform action on -."
        raise Refused(Code.AUTHORIZATION, text)
    rows = _rows(f"file:{call.cloud.settings.state / 'state.sqlite'}?mode=ro", query)
    return element("SQL_COMMAND", {"QUERY": query, "RESULT": {"ROW": rows} if rows else {}})


def _rows(place: str, query: str) -> list[dict[str, str]]:
    connection = sqlite3.connect(place, uri=True)
    try:
        for kind, table in TABLES.items():
            connection.execute(VIEW.format(table=table, kind=kind))
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READS else sqlite3.SQLITE_DENY)
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, map(str, row), strict=True)) for row in found]
    except sqlite3.Error as error:
        raise Refused(Code.ACTION, "") from error
    finally:
        connection.close()


TABLE: Table = {"one.system.sqlquery": sqlquery}
