"""What a file can be: one file per format, behind one interface."""
