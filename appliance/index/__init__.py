"""The index: what the archive can search, in SQLite through SQLAlchemy."""
