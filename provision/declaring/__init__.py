"""What a community file declares, read with every mistake told at once."""
