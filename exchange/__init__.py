"""What branches and the admin hand each other, signed and sealed, and the store that it passes through."""
