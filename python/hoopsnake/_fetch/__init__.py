"""`hoop fetch`: many URLs at once, a JSON line for each."""
