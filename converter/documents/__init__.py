"""Objects that people read rather than look at: reports, PDF, CDA."""
