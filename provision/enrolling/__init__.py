"""Take branches up into the directory, and out of it."""
