"""One cloud at a time on a folder, and the same place again after a restart."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from emulator.cloud import Cloud
from emulator.errors import EmulatorError
from emulator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_second_cloud_on_the_same_folder_is_refused(make_cloud: Callable[..., Cloud]) -> None:
    first = make_cloud()
    with pytest.raises(EmulatorError, match="another embedded cloud runs on"):
        make_cloud()
    assert first.session  # and the first goes on


def test_a_restarted_cloud_has_its_network_again_unless_it_is_taken(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "cloud", driver="none", port=0)
    with Cloud(Settings(state=tmp_path / "before", driver="none", port=0)), Cloud(settings) as cloud:
        network = cloud.place.network
    with Cloud(settings) as cloud:
        assert cloud.place.network == network
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "network").write_text(network)
    with Cloud(Settings(state=tmp_path / "other", driver="none", port=0)) as other, Cloud(settings) as cloud:
        assert other.place.network == network != cloud.place.network


def test_the_folder_is_its_owner_s_alone(make_cloud: Callable[..., Cloud]) -> None:
    assert stat.S_IMODE(make_cloud().settings.state.stat().st_mode) == 0o700
