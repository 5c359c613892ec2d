"""What `hoop dev` shows and `hoop serve` never does.

- `error_page`: the page for an exception; `style.css` is its looks.
- `stand_in`: puts the page in the place of an application's own 500.
- `frames`: an exception as a list of frames with their source.
"""
