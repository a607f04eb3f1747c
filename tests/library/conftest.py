"""Makes the slow references and the small models beside this file importable by name."""
