"""Everything that talks to the world outside: Twilio, its simulator, AI."""
