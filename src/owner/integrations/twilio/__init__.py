"""Twilio as it is: its forms, signatures, words, error numbers and REST API."""
