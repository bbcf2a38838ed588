"""From the bytes of a frame to stored values and colours."""
