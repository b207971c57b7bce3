"""The pages where a company says how the product behaves, and a person how their account does."""
