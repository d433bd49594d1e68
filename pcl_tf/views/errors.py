"""What is wrong with the views of a recipe."""


class ViewError(ValueError):
    """A view that does not exist or cannot be made, in words for the person who named it."""
