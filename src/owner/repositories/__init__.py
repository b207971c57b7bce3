"""All SQL outside of the migrations: one file per noun, domain values in, models out."""
