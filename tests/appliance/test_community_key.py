"""Another key of the community's in an appliance's context: versions are counted anew under it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange import directory as directories
from exchange import settings as all_settings
from exchange.community import CommunityKeys
from tests.appliance.community import Community
from tests.appliance.hospital import Hospital

if TYPE_CHECKING:
    from pathlib import Path

#: The highest version that there is: whoever stole the key publishes it to shut out the community's own.
HIGHEST = 9_999_999_999


def stolen(community: Community) -> None:
    """Somebody with the community's key uses up its numbers."""
    assert community.directory is not None
    last = replace(community.directory, version=HIGHEST)
    directories.publish(community.store, last, community.keys.sign)
    settings = replace(community.settings["erode"], version=HIGHEST, staff=())
    recipients = [community.directory.branch("erode").keys.seal]
    all_settings.publish(community.store, settings, community.keys.sign, recipients)


def known(hospital: Hospital) -> tuple[int, int]:
    """The versions of directory and settings that are in force."""
    directory, settings = hospital.people.directory.value, hospital.people.settings.value
    assert directory is not None
    assert settings is not None
    return directory.version, settings.version


def test_under_another_key_versions_are_counted_anew(tmp_path: Path) -> None:
    community = Community(tmp_path / "exchange")
    erode = Hospital(community, "erode", tmp_path / "erode").enrol()
    stolen(community)
    erode.step()
    assert known(erode) == (HIGHEST, HIGHEST)
    community.appoint("erode")
    community.publish()
    erode.step()
    assert known(erode) == (HIGHEST, HIGHEST), "under the stolen key nothing helps"
    erode.close()

    community.keys, _ = CommunityKeys.generate()
    again = Hospital(community, "erode", tmp_path / "erode")
    assert known(again) == (HIGHEST, HIGHEST), "what is known is in force until there is something newer"
    again.step()
    assert known(again) == (HIGHEST, HIGHEST), "and what the former key signed is none"
    newer = community.publish()
    community.appoint("erode", {"dr.anbu": "doctor"})
    again.step()
    again.step()
    assert known(again) == (newer.version, community.settings["erode"].version)
    assert [member.login for member in again.people.settings.staff()] == ["dr.anbu"]
    again.close()

    directories.publish(community.store, replace(newer, version=newer.version + 5), community.keys.sign)
    third = Hospital(community, "erode", tmp_path / "erode")
    third.step()
    assert known(third)[0] == newer.version + 5
    (community.root / "community" / "directory" / f"{newer.version + 5:010}.json").unlink()
    third.step()
    assert known(third)[0] == newer.version + 5, "and never go back under the new one"
    third.close()


def test_an_appliance_from_before_keeps_its_floor(tmp_path: Path) -> None:
    """It did not remember under which key: that is the one in its context when it first starts anew."""
    from appliance.people_tables import Remembered

    community = Community(tmp_path / "exchange")
    erode = Hospital(community, "erode", tmp_path / "erode").enrol()
    with erode.archive.index.writing() as session:
        for kind in ("directory signer", "settings signer"):
            session.delete(session.get(Remembered, kind))
    erode.close()
    again = Hospital(community, "erode", tmp_path / "erode")
    assert again.people.directory.floor == known(again)[0]
    again.close()
    community.keys, _ = CommunityKeys.generate()
    third = Hospital(community, "erode", tmp_path / "erode")
    assert third.people.directory.floor == third.people.settings.floor == 0
    third.close()
