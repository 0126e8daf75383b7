"""What notices and actions share: tables of settings, secrets, one HTTP request; private."""
