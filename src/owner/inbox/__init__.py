"""The agents' page, rendered here and kept alive by HTMX: for people what `api` is for programs."""
