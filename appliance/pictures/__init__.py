"""Draw the pictures of what is kept, and lay them in the shared folder."""
