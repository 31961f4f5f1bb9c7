class Skip(Exception):
    """Why no session is made for a rule."""
