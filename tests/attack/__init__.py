"""Attacks on the program that anyone may run longer: `make attack`, `python -m tests.attack NAME --minutes 5`."""
