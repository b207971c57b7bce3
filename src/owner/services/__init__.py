"""The use cases. They load, ask the models, store and tell; they never commit half a thing."""
