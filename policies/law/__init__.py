"""The law of a debtor's place as dated, cited data, and the engine that asks it: may this contact be made, and if not, when."""
