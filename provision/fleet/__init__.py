"""The community as it runs: its branches at a glance, their health, their acceptance, their bad days."""
