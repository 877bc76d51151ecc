"""Ids of oracles.json that no test covers, each with the reason."""

NOT_APPLICABLE: dict[str, str] = {}
