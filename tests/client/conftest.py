"""Runs the coroutines among these tests on hoopsnake's own loop."""

from coroutine_tests import coroutines_within

pytest_pyfunc_call = coroutines_within(45.0)
