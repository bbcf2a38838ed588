"""One file for each kind of thing in the cloud: how it is declared, found, made, changed and removed."""
