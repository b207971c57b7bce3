"""Brings a database to the schema that this program needs, and back."""
