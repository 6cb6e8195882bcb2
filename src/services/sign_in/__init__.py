"""The sign-in of people: set-up, passwords, second factors, links, the OIDC issuer, and sessions."""
