"""What a user can put right: reported as one line, without a traceback."""


class UserError(ValueError):
    """Bad input or surroundings; the message names what was given and what is allowed."""
