"""Simulated messengers and a customer's phone, written from the vendor contracts alone."""
