"""How an appliance becomes a branch's: it reports its keys, the directory names them, its settings are read."""
