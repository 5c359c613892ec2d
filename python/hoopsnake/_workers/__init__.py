"""Worker processes: a supervisor that listens, and workers that serve what it listens on.

- `config`: the settings.
- `supervisor`: N workers, kept, replaced and reloaded; `reloader`: one, restarted on changes.
- `worker_process`: a worker as its supervisor sees it; `worker`: the process itself.
- `channel`, `messages`: what they tell each other; `questions`: what may be asked.
- `policies`: when a worker is due, and when the next one is tried. Pure: time is an argument.
- `file_changes`: what `--reload` looks at.
"""
