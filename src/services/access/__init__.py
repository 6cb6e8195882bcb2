"""Access: principals, API keys, tokens of an OIDC issuer, and failed authentications."""
