"""What stays up: the service, its processes, its inbox."""
