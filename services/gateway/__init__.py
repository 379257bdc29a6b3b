"""The gateway: the REST interface. It knows no other service, only rows, files and bells."""
