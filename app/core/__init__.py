"""What everything stands on: settings, errors, money, ids, time, security. Imports no other layer."""
