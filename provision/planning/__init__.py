"""What stands, what is declared, and the steps between them: pure comparison."""
