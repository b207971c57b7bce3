"""The business itself: entities, enums, rules. No framework, no clock, no input or output."""
