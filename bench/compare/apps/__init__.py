"""The applications that every server of the bench answers with, unchanged from server to server."""
