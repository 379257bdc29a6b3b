"""Tests against real servers, databases and processes; `conftest.py` starts them."""
