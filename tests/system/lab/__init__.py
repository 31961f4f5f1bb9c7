"""Network namespaces, kernel peers and traffic: what the system tests and the demo are made of."""
