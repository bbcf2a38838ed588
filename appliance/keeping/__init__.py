"""Keep instances: from the bytes that arrive to the file on the disk and its rows in the index."""
