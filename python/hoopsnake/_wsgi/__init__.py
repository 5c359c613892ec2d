"""WSGI applications (PEP 3333) on the ASGI server, in threads of their own.

- `interface`: tells a WSGI application from an ASGI one.
- `application`: what the server calls; sends each request to a thread, and does what it orders.
- `exchange`: one request, seen from its thread: `start_response`, `write`, the iterable.
- `environ`, `request_body`, `file_wrapper`: what the application is given.
- `thread_pool`, `wakeups`: the way from the loop to the threads, and back.
"""
