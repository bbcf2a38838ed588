"""All tables of the index, whichever part of the appliance they belong to."""

from __future__ import annotations

import appliance.people_tables  # noqa: F401 - its tables enter the metadata
from appliance.index.models import Base

metadata = Base.metadata
