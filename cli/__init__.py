"""`bulkhead`: run it all on one machine, export with a progress bar, administer."""
