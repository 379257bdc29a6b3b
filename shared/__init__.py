"""What Bulkhead's services must agree on, and nothing else."""
