"""What can be exported: one file per dataset, a declaration of its relation and columns."""
