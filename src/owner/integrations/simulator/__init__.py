"""A Twilio of our own: its REST API, its webhooks and the customer's phone, without an account."""

from owner.integrations.simulator.app import create_simulator
from owner.integrations.simulator.client import SimulatorClient

__all__ = ["SimulatorClient", "create_simulator"]
