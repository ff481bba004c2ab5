"""The JSON API: camelCase in and out, errors as RFC 9457 problem details."""
