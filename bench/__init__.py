"""hoopsnake's measuring bench: nothing in here is part of the package that users install."""
